// Package ratelimit bounds how many requests a user and a tenant may make, how
// often visitors at one address may ask for a login, and how often passwords may
// be wrong. Each
// instance decides by itself, without asking anybody, and all of them settle
// their accounts in Redis in the background a few times a second: so a decision
// takes less than a microsecond, and all instances together allow what one may,
// but for what they let pass before they have heard of one another.
package ratelimit

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/pods-service/pods/shared/pods"
)

// Rates are what an operator can choose, from the environment. All are over all
// instances; 0 sets no bound.
type Rates struct {
	User   float64 `env:"PODS_RATE_USER" envDefault:"200" help:"requests a second that one user may make; 0: no bound"`
	Tenant float64 `env:"PODS_RATE_TENANT" envDefault:"2000" help:"requests a second that the users of one tenant may make together; 0: no bound"`
	// Visitor is for the routes by which visitors of pods log in.
	Visitor float64 `env:"PODS_RATE_VISITOR" envDefault:"50" help:"requests a second about logins to pods that may come from one address; 0: no bound"`
	// Failures are those of passwords and of keys of clients.
	Failures float64 `env:"PODS_RATE_FAILURES" envDefault:"10" help:"wrong passwords a minute from one address, and for one user; 0: no bound"`
}

// burstSeconds is how much of a rate may be used at once by those who have been
// quiet for as long.
const burstSeconds = 5

// limit is what a bucket is filled by.
type limit struct {
	perSecond float64 // 0: there is no bound
	burst     int     // tokens that fit in
}

// steady returns the limit of a rate of requests a second.
func steady(perSecond float64) limit {
	return limit{perSecond, max(int(perSecond*burstSeconds), 1)}
}

// maxBuckets bounds the memory of an instance to about 20 MiB. Callers beyond it
// share one bucket of their kind, which only a flood of made-up users or of
// addresses can reach.
const maxBuckets = 100_000

// Limiter says whether a caller may make a request now. It is safe for
// concurrent use.
type Limiter struct {
	rates   Rates
	shared  Shared
	now     func() time.Time
	refused *prometheus.CounterVec
	settled *prometheus.CounterVec

	mu      sync.RWMutex
	buckets map[key]*bucket
}

// key names a bucket. What is counted for users and tenants has no kind, and a
// tenant's has no user.
type key struct{ kind, tenant, user string }

// name is what Redis knows the bucket as. No tenant has the colon of a kind.
func (k key) name() string { return k.kind + k.tenant + "/" + k.user }

// others is the bucket of those for whom there is no room.
const others = "*"

// bucket holds the tokens of one user, tenant or address as this instance sees them.
type bucket struct {
	key
	*rate.Limiter
	taken atomic.Int64 // since they were last settled
}

// Options are what a Limiter needs.
type Options struct {
	Rates Rates
	// Shared is where instances meet; nil for one that is alone.
	Shared Shared
	// Now is the clock. Default time.Now.
	Now        func() time.Time
	Registerer prometheus.Registerer
}

// New returns a limiter with full buckets. Run has it settle with the others.
func New(options Options) *Limiter {
	l := &Limiter{
		rates: options.Rates, shared: options.Shared, now: options.Now, buckets: map[key]*bucket{},
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pods_api_refused_total", Help: "Requests above the rate of their user, tenant or address, and attempts to log in above that of failures.",
		}, []string{"rate"}),
		settled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pods_api_rates_settled_total", Help: "Times that rates were settled between instances, by result.",
		}, []string{"result"}),
	}
	if l.now == nil {
		l.now = time.Now
	}
	options.Registerer.MustRegister(l.refused, l.settled)
	return l
}

// Allow counts a request of caller. It returns 0 when it may go on, and
// otherwise how long to wait and whose rate it is: the user's or the tenant's.
func (l *Limiter) Allow(caller pods.Caller) (wait time.Duration, whose string) {
	now := l.now()
	if wait := l.take(steady(l.rates.User), key{tenant: caller.TenantID, user: caller.Username}, now); wait > 0 {
		l.refused.WithLabelValues("user").Inc()
		return wait, "user"
	}
	if wait := l.take(steady(l.rates.Tenant), key{tenant: caller.TenantID}, now); wait > 0 {
		l.refused.WithLabelValues("tenant").Inc()
		return wait, "tenant"
	}
	return 0, ""
}

// take takes a token of k's bucket, or returns how long there will be none.
func (l *Limiter) take(of limit, k key, now time.Time) time.Duration {
	if of.perSecond <= 0 {
		return 0
	}
	b := l.bucket(of, k)
	if b.AllowN(now, 1) {
		b.taken.Add(1)
		return 0
	}
	return b.wait(now)
}

// wait returns how long there will be no token, 0 when there is one.
func (b *bucket) wait(now time.Time) time.Duration {
	missing := 1 - b.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return max(time.Duration(missing/float64(b.Limit())*float64(time.Second)), time.Millisecond)
}

// known returns the bucket of k, nil when it is as good as new.
func (l *Limiter) known(k key) *bucket {
	l.mu.RLock()
	defer l.mu.RUnlock()
	_, b := l.find(k)
	return b
}

func (l *Limiter) bucket(of limit, k key) *bucket {
	if b := l.known(k); b != nil {
		return b
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	k, b := l.find(k)
	if b == nil {
		b = &bucket{key: k, Limiter: rate.NewLimiter(rate.Limit(of.perSecond), of.burst)}
		l.buckets[k] = b
	}
	return b
}

// find returns what k's bucket is called, and the bucket, nil when it is not
// there yet. The caller holds the lock.
func (l *Limiter) find(k key) (key, *bucket) {
	b := l.buckets[k]
	if b == nil && len(l.buckets) >= maxBuckets && k.user != "" {
		k = key{kind: k.kind, user: others}
		b = l.buckets[k]
	}
	return k, b
}
