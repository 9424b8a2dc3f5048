package feed

import (
	"context"
	"log/slog"
	"time"

	"github.com/pods-service/pods/shared/routes"
)

// readChanged reads pods that are said to have changed, until ctx ends.
func (f *Feed) readChanged(ctx context.Context) {
	for {
		key, since, loads, found := f.next()
		if found {
			f.readOne(ctx, key, since, loads)
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
		}
	}
}

// next takes a pod that waits to be read. One that is being read is left until
// that is done, so that an older answer never follows a newer one.
func (f *Feed) next() (key podKey, since time.Time, loads int, found bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, since = range f.pending {
		if !f.reading[key] {
			delete(f.pending, key)
			f.reading[key] = true
			return key, since, f.loads, true
		}
	}
	return podKey{}, time.Time{}, 0, false
}

// readOne brings the table up to date for one pod. loads is how many full
// reads had begun before.
func (f *Feed) readOne(ctx context.Context, key podKey, since time.Time, loads int) {
	answer, err := f.ask(ctx, key)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.reading, key)
	if _, waits := f.pending[key]; waits {
		f.wakeReader() // it was passed over while it was being read
	}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		f.logger.WarnContext(ctx, "pod cannot be read; its last good routes stay",
			slog.String("tenant_id", key.tenantID), slog.String("pod_id", key.podID), slog.Any("error", err))
		f.wantResync()
	case f.loads != loads:
		f.enqueue(key, since) // a full read that began since may know better
	default:
		f.apply(key, answer)
		f.metrics.lag.Observe(time.Since(since).Seconds())
	}
}

func (f *Feed) ask(ctx context.Context, key podKey) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	pod, err := f.source.Pod(ctx, key.tenantID, key.podID)
	a, err := newAnswer(pod, err, key)
	f.metrics.read(kindSingle, err)
	return a, err
}

// apply must be called with mu held.
func (f *Feed) apply(key podKey, a answer) {
	table := f.table.Load()
	if a.unmerged != nil {
		f.report([]routes.Problem{a.unmerged.problem()})
		a = a.settled(table)
	}
	if f.during != nil {
		f.during[key] = a
	}
	if table == nil {
		return // the first full read is still to come
	}
	if next := a.applyTo(table, key); next != table {
		f.publish(next)
		f.report(next.ProblemsOf(key.tenantID, key.podID))
	}
}
