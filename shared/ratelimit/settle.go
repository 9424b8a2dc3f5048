package ratelimit

import (
	"context"
	"time"

	"github.com/pods-service/pods/shared/cache"
)

const (
	// settleEvery is how long instances may know nothing of one another.
	settleEvery = 200 * time.Millisecond
	// settleTimeout bounds one settling. What it did not get told is forgotten,
	// so that nobody has to pay for an outage when it is over.
	settleTimeout = time.Second
	// settleAtOnce bounds what Redis does in one go, to well below a millisecond.
	settleAtOnce = 100
)

// Shared is where instances meet, as cache.Cache is.
type Shared interface {
	Spend(ctx context.Context, list []cache.Spending) ([]float64, error)
}

// Run settles with the other instances until ctx ends. While Redis cannot be
// asked, each instance goes on by itself.
func (l *Limiter) Run(ctx context.Context) error {
	ticker := time.NewTicker(settleEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			l.settle(ctx)
		}
	}
}

// settle tells the others what was taken here, hears what is left, and forgets
// the buckets that are as good as new.
func (l *Limiter) settle(ctx context.Context) {
	used := l.sweep()
	if l.shared == nil {
		for _, b := range used {
			b.taken.Store(0) // or it would not be forgotten
		}
		return
	}
	for len(used) > 0 {
		count := min(len(used), settleAtOnce)
		if !l.exchange(ctx, used[:count]) {
			return
		}
		used = used[count:]
	}
}

// sweep returns the buckets that something was taken from, and removes those
// that are full and were left alone.
func (l *Limiter) sweep() (used []*bucket) {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, b := range l.buckets {
		switch {
		case b.taken.Load() > 0:
			used = append(used, b)
		case b.TokensAt(now) >= float64(b.Burst()):
			delete(l.buckets, k)
		}
	}
	return used
}

// exchange reports whether the others could be reached.
func (l *Limiter) exchange(ctx context.Context, used []*bucket) bool {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	list := make([]cache.Spending, len(used))
	for i, b := range used {
		list[i] = cache.Spending{
			Bucket: b.name(), Rate: float64(b.Limit()), Burst: b.Burst(), Taken: int(b.taken.Swap(0)),
		}
	}
	left, err := l.shared.Spend(ctx, list)
	if err != nil {
		l.settled.WithLabelValues("failed").Inc()
		return false
	}
	l.settled.WithLabelValues("done").Inc()
	for i, b := range used {
		b.adopt(left[i], l.now())
	}
	return true
}

// adopt takes out what other instances have taken: left is what is left in all,
// less what has been taken here since.
func (b *bucket) adopt(left float64, now time.Time) {
	surplus := int(b.TokensAt(now) - (left - float64(b.taken.Load())))
	if surplus > 0 {
		b.ReserveN(now, min(surplus, b.Burst()))
	}
}
