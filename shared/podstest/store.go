package podstest

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pods-service/pods/shared/postgres"
)

// poolSize is how many connections one test's store has.
const poolSize = 8

// Key is the key that stores of tests encrypt credentials with.
var Key = [32]byte{'o', 'f', ' ', 't', 'e', 's', 't', 's'}

// Option changes how a test's store works.
type Option func(*postgres.Options)

// WithClock makes the store go by clock. Without it, it goes by a Clock of its
// own, at the time of Pod's creation.
func WithClock(clock *Clock) Option {
	return func(o *postgres.Options) { o.Now = clock.Now }
}

// WithNow makes the store go by any clock, as time.Now.
func WithNow(now func() time.Time) Option {
	return func(o *postgres.Options) { o.Now = now }
}

// WithCommitted has committed told of the events of each transaction.
func WithCommitted(committed func([]cloudevents.Event)) Option {
	return func(o *postgres.Options) { o.Committed = committed }
}

// pools holds the pool of each test's store, for those who look behind it.
var pools sync.Map // *postgres.Store to *pgxpool.Pool

// Store returns a store on a new database of a real Postgres. Any number of
// tests can have one at once.
func Store(t testing.TB, options ...Option) *postgres.Store {
	t.Helper()
	pool := Open(t, DatabaseURL(t))
	settings := postgres.Options{Key: Key, Now: NewClock().Now}
	for _, option := range options {
		option(&settings)
	}
	store := postgres.New(pool, settings)
	pools.Store(store, pool)
	t.Cleanup(func() { pools.Delete(store) })
	return store
}

// Open returns a pool on the database at url, closed after the test.
func Open(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(t.Context(), url, poolSize)
	if err != nil {
		t.Fatalf("open the test's database: %v", err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// Pool returns the pool behind a store that Store has made, for what a store
// does not show.
func Pool(t testing.TB, store *postgres.Store) *pgxpool.Pool {
	t.Helper()
	pool, known := pools.Load(store)
	if !known {
		t.Fatal("podstest.Pool: the store is not one of podstest.Store")
	}
	return pool.(*pgxpool.Pool)
}

// Outbox returns all events in the outbox, sent or not, in the order in which
// they were written. It claims none.
func Outbox(t testing.TB, store *postgres.Store) []cloudevents.Event {
	t.Helper()
	rows, err := Pool(t, store).Query(t.Context(), `SELECT event FROM outbox ORDER BY seq`)
	if err != nil {
		t.Fatalf("read the outbox: %v", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (event cloudevents.Event, err error) {
		var document []byte
		if err := row.Scan(&document); err != nil {
			return event, err
		}
		return event, json.Unmarshal(document, &event)
	})
	if err != nil {
		t.Fatalf("read the outbox: %v", err)
	}
	return all
}

// Types returns the types of events, in order.
func Types(all []cloudevents.Event) []string {
	types := make([]string, len(all))
	for i, event := range all {
		types[i] = event.Type()
	}
	return types
}
