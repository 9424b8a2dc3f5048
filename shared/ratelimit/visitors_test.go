package ratelimit_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pods-service/pods/shared/ratelimit"
)

func TestClient(t *testing.T) {
	t.Parallel()

	tests := map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::", "fe80::1%eth0": "fe80::",
	}
	for address, want := range tests {
		if got := ratelimit.Client(netip.MustParseAddr(address)); got != netip.MustParseAddr(want) {
			t.Errorf("Client(%s) = %s, want %s", address, got, want)
		}
	}
	if got := ratelimit.Client(netip.Addr{}); got.IsValid() {
		t.Errorf("no address counts as %s", got)
	}
}

func TestVisitorRate(t *testing.T) {
	t.Parallel()

	c := &clock{}
	l := newLimiter(c, nil, ratelimit.Rates{Visitor: 2})
	steps := []struct {
		after time.Duration
		from  string
		tries int
		want  int
	}{
		{0, "192.0.2.1", 30, 10},
		{0, "192.0.2.2", 1, 1},
		{0, "2001:db8:1:2::1", 6, 6},
		{0, "2001:db8:1:2:ffff::9", 6, 4},
		{0, "2001:db8:1:3::1", 6, 6},
		{time.Second, "192.0.2.1", 5, 2},
	}
	for i, step := range steps {
		c.advance(step.after)
		good := 0
		for range step.tries {
			if l.AllowVisitor(netip.MustParseAddr(step.from)) == 0 {
				good++
			}
		}
		if good != step.want {
			t.Errorf("step %d: %d of %d requests from %s, want %d", i, good, step.tries, step.from, step.want)
		}
	}
	if wait := l.AllowVisitor(netip.MustParseAddr("192.0.2.1")); wait != 500*time.Millisecond {
		t.Errorf("wait %s, want 500ms", wait)
	}
}

// TestLoginRate guesses at 6 failures a minute. Each step makes a number of
// attempts and says how many of them are answered.
func TestLoginRate(t *testing.T) {
	t.Parallel()

	type step struct {
		after    time.Duration
		from     string
		user     string
		isGood   bool
		attempts int
		want     int
	}
	const bad, good = false, true
	tests := map[string][]step{
		"RightPasswordsAreFree": {
			{0, "192.0.2.1", "alice", good, 1000, 1000},
		},
		"OneAddressOneUser": {
			{0, "192.0.2.1", "alice", bad, 100, 6},
			{0, "192.0.2.1", "alice", good, 1, 0}, // or it could be found by guessing
			{10 * time.Second, "192.0.2.1", "alice", good, 1, 1},
			{0, "192.0.2.1", "alice", bad, 100, 1},
		},
		"OneAddressManyUsers": {
			{0, "192.0.2.1", "alice", bad, 3, 3},
			{0, "192.0.2.1", "bob", bad, 100, 3},
			{0, "192.0.2.1", "carol", good, 1, 0},
			{0, "192.0.2.2", "alice", good, 1, 1},
		},
		"OneNetworkIsOneAddress": {
			{0, "2001:db8::1", "alice", bad, 6, 6},
			{0, "2001:db8::2", "bob", bad, 1, 0},
		},
		"ManyAddressesOneUser": {
			{0, "192.0.2.1", "alice", bad, 3, 3},
			{0, "192.0.2.2", "alice", bad, 3, 3},
			{0, "192.0.2.3", "alice", bad, 3, 1},
			{0, "192.0.2.2", "alice", bad, 1, 0},
			{0, "192.0.2.2", "alice", good, 1, 0},
			{0, "192.0.2.9", "alice", good, 1, 1}, // the user
			{0, "192.0.2.2", "bob", good, 1, 1},
			{0, "192.0.2.3", "bob", bad, 1, 1},
		},
		"TryOfAnAddressComesBack": {
			{0, "192.0.2.1", "alice", bad, 6, 6},
			{0, "192.0.2.2", "alice", bad, 2, 1},
			{5 * time.Second, "192.0.2.2", "alice", good, 1, 0},
			{5 * time.Second, "192.0.2.2", "alice", good, 1, 1}, // something is left for all
		},
		"LongNamesAreOne": {
			{0, "192.0.2.1", fmt.Sprintf("%0100d", 1), bad, 6, 6},
			{0, "192.0.2.2", fmt.Sprintf("%0100d", 2), bad, 2, 1},
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			c := &clock{}
			l := newLimiter(c, nil, ratelimit.Rates{Failures: 6})
			for i, step := range steps {
				c.advance(step.after)
				answered := 0
				for range step.attempts {
					if l.AllowLogin(netip.MustParseAddr(step.from), "dev", step.user, step.isGood) == 0 {
						answered++
					}
				}
				if answered != step.want {
					t.Errorf("step %d: %d attempts are answered, want %d", i, answered, step.want)
				}
			}
			if wait := l.AllowLogin(netip.MustParseAddr("192.0.2.1"), "dev2", "alice", true); wait > 10*time.Second {
				t.Errorf("wait %s for what comes back every 10s", wait)
			}
		})
	}
}

// TestTriesOfStrangers: while more than enough fail for a user all the time, an
// address has a try a minute, so that a hundred addresses have a hundred.
func TestTriesOfStrangers(t *testing.T) {
	t.Parallel()

	c := &clock{}
	l := newLimiter(c, nil, ratelimit.Rates{Failures: 10})
	answered := 0
	for range 10 * 60 { // for ten minutes
		for n := range 100 {
			if l.AllowLogin(netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), "dev", "alice", false) == 0 {
				answered++
			}
		}
		c.advance(time.Second)
	}
	// Each address by itself could have 110.
	if most := 100*10 + 11*10; answered < 1000 || answered > most {
		t.Errorf("%d guesses, want 1000 to %d", answered, most)
	}
}

func TestNoRatesOfVisitors(t *testing.T) {
	t.Parallel()

	l := newLimiter(&clock{}, nil, ratelimit.Rates{})
	for range 1000 {
		if l.AllowVisitor(netip.Addr{}) != 0 || l.AllowLogin(netip.Addr{}, "dev", "alice", false) != 0 {
			t.Fatal("there is a bound")
		}
	}
}

// TestInstancesShareFailures: what fails at one instance counts at the other
// once they have settled.
func TestInstancesShareFailures(t *testing.T) {
	t.Parallel()

	c := &clock{}
	shared := newTogether(c)
	one, two := newLimiter(c, shared, ratelimit.Rates{Failures: 10}), newLimiter(c, shared, ratelimit.Rates{Failures: 10})
	from := netip.MustParseAddr("192.0.2.1")
	for range 10 {
		one.AllowLogin(from, "dev", "alice", false)
	}
	two.AllowLogin(from, "dev", "alice", false)
	one.Settle(t.Context())
	two.Settle(t.Context())
	if two.AllowLogin(from, "dev", "alice", true) == 0 {
		t.Error("the second instance does not know what has failed at the first")
	}
}

func BenchmarkAllowVisitor(b *testing.B) {
	l := ratelimit.New(ratelimit.Options{Rates: ratelimit.Rates{Visitor: 1e9}, Registerer: prometheus.NewRegistry()})
	from := netip.MustParseAddr("192.0.2.1")
	b.ReportAllocs()
	for b.Loop() {
		if l.AllowVisitor(from) != 0 {
			b.Fatal("refused")
		}
	}
}
