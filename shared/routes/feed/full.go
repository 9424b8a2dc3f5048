package feed

import (
	"context"
	"log/slog"
	"time"

	"github.com/pods-service/pods/shared/routes"
)

// readAll reads everything, at once and then as often as need be, until ctx
// ends.
func (f *Feed) readAll(ctx context.Context) {
	retry := minRetry
	for {
		err := f.load(ctx)
		if ctx.Err() != nil {
			return
		}
		wait, wanted := f.interval(), f.resync
		if err != nil {
			f.logger.WarnContext(ctx, "pods cannot be read; the last good routes stay", slog.Any("error", err))
			// A source that fails is not asked more often for being asked.
			wait, wanted = retry, nil
			retry = min(2*retry, maxRetry)
		} else {
			retry = minRetry
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-wanted:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

func (f *Feed) interval() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.deaf {
		return deafResyncEvery
	}
	return resyncEvery
}

// load replaces the table by what one full read says.
func (f *Feed) load(ctx context.Context) error {
	began := time.Now()
	f.mu.Lock()
	f.during = map[podKey]answer{}
	f.loads++
	f.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, fullReadTimeout)
	defer cancel()
	all, err := f.source.Pods(ctx)
	unmerged, err := splitUnmerged(err)
	f.metrics.read(kindFull, err)

	var table *routes.Table
	if err == nil {
		table = routes.Build(all)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	during := f.during
	f.during = nil
	if err != nil {
		return err
	}
	problems := make([]routes.Problem, len(unmerged))
	for i, u := range unmerged {
		problems[i] = u.problem()
		table = table.With(u.withRoutesOf(f.table.Load()))
	}
	for key, answer := range during {
		table = answer.applyTo(table, key)
	}
	f.adopt(table, problems)
	f.loadedAt.Store(&began)
	return nil
}

// adopt makes table the current one unless it says the same: then the old one
// stays and the new one is garbage. problems are those that the table does not
// know of. Called with mu held.
func (f *Feed) adopt(table *routes.Table, problems []routes.Problem) {
	problems = append(problems, table.Problems()...)
	current := make(map[routes.Problem]bool, len(problems))
	for _, problem := range problems {
		current[problem] = f.reported[problem]
	}
	f.reported = current // forget those that are solved
	f.report(problems)
	if old := f.table.Load(); old == nil || old.Version() != table.Version() {
		f.publish(table)
	}
}
