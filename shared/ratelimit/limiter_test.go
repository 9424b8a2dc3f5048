package ratelimit_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/pods-service/pods/shared/cache"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/ratelimit"
)

// clock is a clock that only moves when told to.
type clock struct{ nanos atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1_000_000, c.nanos.Load()) }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

// together is what Redis does, by the clock of a test.
type together struct {
	clock *clock

	mu     sync.Mutex
	tokens map[string]float64
	at     map[string]time.Time
	down   bool
}

func newTogether(c *clock) *together {
	return &together{clock: c, tokens: map[string]float64{}, at: map[string]time.Time{}}
}

func (s *together) Spend(_ context.Context, list []cache.Spending) ([]float64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, errors.New("down")
	}
	left := make([]float64, len(list))
	for i, spending := range list {
		tokens, known := s.tokens[spending.Bucket]
		if !known {
			tokens, s.at[spending.Bucket] = float64(spending.Burst), s.clock.now()
		}
		tokens += s.clock.now().Sub(s.at[spending.Bucket]).Seconds() * spending.Rate
		tokens = max(min(tokens, float64(spending.Burst))-float64(spending.Taken), -float64(spending.Burst))
		s.tokens[spending.Bucket], s.at[spending.Bucket], left[i] = tokens, s.clock.now(), tokens
	}
	return left, nil
}

var alice = pods.Caller{TenantID: "dev", Username: "alice"}

func newLimiter(c *clock, shared ratelimit.Shared, rates ratelimit.Rates) *ratelimit.Limiter {
	return ratelimit.New(ratelimit.Options{Rates: rates, Shared: shared, Now: c.now, Registerer: prometheus.NewRegistry()})
}

// allowed returns how many of count requests may go on.
func allowed(l *ratelimit.Limiter, caller pods.Caller, count int) (good int) {
	for range count {
		if wait, _ := l.Allow(caller); wait == 0 {
			good++
		}
	}
	return good
}

func TestUserRate(t *testing.T) {
	t.Parallel()

	c := &clock{}
	l := newLimiter(c, nil, ratelimit.Rates{User: 10})
	if got := allowed(l, alice, 60); got != 50 {
		t.Errorf("%d requests at once, want 5 s of 10 a second", got)
	}
	wait, whose := l.Allow(alice)
	if wait != 100*time.Millisecond || whose != "user" {
		t.Errorf("refused for %s by the rate of the %q, want 100ms of the user", wait, whose)
	}
	c.advance(wait)
	if got := allowed(l, alice, 2); got != 1 {
		t.Errorf("%d requests after the wait, want 1", got)
	}
	for _, other := range []pods.Caller{{TenantID: "dev", Username: "bob"}, {TenantID: "dev2", Username: "alice"}} {
		if got := allowed(l, other, 1); got != 1 {
			t.Errorf("%+v pays for alice", other)
		}
	}
	c.advance(time.Hour)
	if got := allowed(l, alice, 60); got != 50 {
		t.Errorf("%d requests at once after an hour, want 50", got)
	}
}

func TestTenantRate(t *testing.T) {
	t.Parallel()

	c := &clock{}
	l := newLimiter(c, nil, ratelimit.Rates{User: 2, Tenant: 3})
	bob := pods.Caller{TenantID: "dev", Username: "bob"}
	if a, b := allowed(l, alice, 100), allowed(l, bob, 100); a != 10 || b != 5 {
		t.Errorf("%d and %d requests, want 10, and 5 that are left of the tenant's 15", a, b)
	}
	if _, whose := l.Allow(pods.Caller{TenantID: "dev", Username: "carol"}); whose != "tenant" {
		t.Errorf("refused by the rate of the %q, want the tenant's", whose)
	}
	if got := allowed(l, pods.Caller{TenantID: "dev2", Username: "alice"}, 1); got != 1 {
		t.Error("another tenant pays for it")
	}
}

func TestNoRates(t *testing.T) {
	t.Parallel()

	l := newLimiter(&clock{}, nil, ratelimit.Rates{})
	if got := allowed(l, alice, 10_000); got != 10_000 || l.Buckets() != 0 {
		t.Errorf("%d requests, %d buckets; want no bound and none", got, l.Buckets())
	}
}

func TestSlowRate(t *testing.T) {
	t.Parallel()

	l := newLimiter(&clock{}, nil, ratelimit.Rates{User: 0.1})
	if got := allowed(l, alice, 5); got != 1 {
		t.Errorf("%d requests, want one at least", got)
	}
	if wait, _ := l.Allow(alice); wait != 10*time.Second {
		t.Errorf("wait %s, want 10s", wait)
	}
}

// TestInstancesShareARate: what one instance lets pass, another does not once
// they have settled, and what both let pass before that is paid back.
func TestInstancesShareARate(t *testing.T) {
	t.Parallel()

	c := &clock{}
	shared := newTogether(c)
	rates := ratelimit.Rates{User: 10, Tenant: 1000}
	one, two := newLimiter(c, shared, rates), newLimiter(c, shared, rates)
	settle := func() { one.Settle(t.Context()); two.Settle(t.Context()) }

	if a, b := allowed(one, alice, 30), allowed(two, alice, 10); a != 30 || b != 10 {
		t.Fatalf("%d and %d requests, want all 40 of 50", a, b)
	}
	settle()
	if got := allowed(two, alice, 60); got != 10 {
		t.Errorf("the second instance allows %d more, want the 10 that are left", got)
	}
	if got := allowed(one, alice, 60); got != 20 {
		t.Errorf("the first instance allows %d, want the 20 it knew of", got)
	}
	settle() // 20 too many
	settle()
	total := 0
	for range 100 {
		c.advance(200 * time.Millisecond)
		total += allowed(one, alice, 5) + allowed(two, alice, 5)
		settle()
	}
	if total < 175 || total > 205 {
		t.Errorf("%d requests in 20 s at 10 a second, of which 20 were used before", total)
	}
}

// TestSharedIsDown: each instance goes on by itself, and nobody pays for it
// later.
func TestSharedIsDown(t *testing.T) {
	t.Parallel()

	c := &clock{}
	shared := newTogether(c)
	shared.down = true
	l := newLimiter(c, shared, ratelimit.Rates{User: 10})
	for range 3 {
		if got := allowed(l, alice, 60); got != 50 {
			t.Errorf("%d requests, want 50", got)
		}
		l.Settle(t.Context())
		c.advance(5 * time.Second)
	}
	shared.mu.Lock()
	shared.down = false
	shared.mu.Unlock()
	l.Settle(t.Context())
	if got := allowed(l, alice, 60); got != 50 {
		t.Errorf("%d requests once it is back, want 50", got)
	}
}

func TestIdleBucketsAreForgotten(t *testing.T) {
	t.Parallel()

	for name, shared := range map[string]func(*clock) ratelimit.Shared{
		"Alone": func(*clock) ratelimit.Shared { return nil }, "Together": func(c *clock) ratelimit.Shared { return newTogether(c) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			c := &clock{}
			l := newLimiter(c, shared(c), ratelimit.Rates{User: 10, Tenant: 10})
			allowed(l, alice, 20)
			l.Settle(t.Context())
			c.advance(time.Second)
			l.Settle(t.Context())
			if l.Buckets() != 2 {
				t.Errorf("%d buckets, want the user's and the tenant's", l.Buckets())
			}
			c.advance(time.Second)
			l.Settle(t.Context())
			if l.Buckets() != 0 {
				t.Errorf("%d buckets that are full are kept", l.Buckets())
			}
		})
	}
}

func TestRefusalsAreCounted(t *testing.T) {
	t.Parallel()

	registry := prometheus.NewRegistry()
	l := ratelimit.New(ratelimit.Options{Rates: ratelimit.Rates{User: 1}, Now: (&clock{}).now, Registerer: registry})
	allowed(l, alice, 8)
	const want = "# HELP pods_api_refused_total Requests above the rate of their user, tenant or address, and attempts to log in above that of failures.\n" +
		"# TYPE pods_api_refused_total counter\npods_api_refused_total{rate=\"user\"} 3\n"
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "pods_api_refused_total"); err != nil {
		t.Error(err)
	}
}

// TestRun settles by itself until it is told to end.
func TestRun(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		c := &clock{}
		shared := newTogether(c)
		l := newLimiter(c, shared, ratelimit.Rates{User: 10})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- l.Run(ctx) }()
		allowed(l, alice, 7)
		time.Sleep(time.Second) // of the bubble's clock
		synctest.Wait()
		shared.mu.Lock()
		left := shared.tokens["dev/alice"]
		shared.mu.Unlock()
		if left != 43 {
			t.Errorf("%v tokens are left in all, want 43", left)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestManyAtOnce is for the race detector.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()

	c := &clock{}
	l := newLimiter(c, newTogether(c), ratelimit.Rates{User: 100, Tenant: 1000})
	var good atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			good.Add(int64(allowed(l, alice, 200)))
			l.Settle(t.Context())
		})
	}
	group.Wait()
	if good.Load() != 500 {
		t.Errorf("%d requests, want 500", good.Load())
	}
}

func BenchmarkAllow(b *testing.B) {
	l := ratelimit.New(ratelimit.Options{Rates: ratelimit.Rates{User: 1e9, Tenant: 1e9}, Registerer: prometheus.NewRegistry()})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if wait, _ := l.Allow(alice); wait != 0 {
				b.Fatal("refused")
			}
		}
	})
}
