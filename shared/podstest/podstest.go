// Package podstest is support for tests: pods to test with, a clock that
// stands still, and stores on a real Postgres, each test with a database of
// its own.
//
// The servers come from the environment, TEST_DATABASE_URL and
// TEST_REDIS_URL. `make test` sets both, and so does, from the root of the
// repository,
//
//	go run ./test/withservers -- go test ./shared/postgres
//
// A test that finds none fails: a test that is skipped proves nothing.
package podstest

import (
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// environment returns a variable that the test cannot do without.
func environment(t testing.TB, name, what string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set, and this test needs a real %s. Run it with `make test`, "+
			"or in the root of the repository with `go run ./test/withservers -- go test ./...`", name, what)
	}
	return value
}

// RedisURL returns the address of the Redis that all tests share. Keep what is
// yours under Prefix.
func RedisURL(t testing.TB) string {
	t.Helper()
	return environment(t, "TEST_REDIS_URL", "Redis")
}

// Prefix returns a prefix for Redis keys and channels that no other test has.
func Prefix(testing.TB) string { return "test-" + uuid.NewString() }

// Clock is a clock that stands still until it is moved. It is safe for
// concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock at the time of Pod's creation.
func NewClock() *Clock { return &Clock{now: created} }

// Now returns the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock by d and returns the new time.
func (c *Clock) Advance(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

// Set moves the clock to now.
func (c *Clock) Set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}
