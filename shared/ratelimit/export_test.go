package ratelimit

import "context"

// Settle settles once, as Run does all the time.
func (l *Limiter) Settle(ctx context.Context) { l.settle(ctx) }

// Buckets returns how many buckets are kept.
func (l *Limiter) Buckets() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.buckets)
}
