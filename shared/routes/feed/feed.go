// Package feed keeps a route table current: one full read at the
// start, then a read of each pod as soon as it is said to have changed, and a
// full read from time to time for what nobody has said. When the source cannot
// be read the last good table stays, so pods that run keep serving.
package feed

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/routes"
)

const (
	// resyncEvery is how long a change that nobody announced may go unseen;
	// deafResyncEvery is the same while announcements cannot be heard.
	resyncEvery     = 30 * time.Second
	deafResyncEvery = 2 * time.Second

	minRetry = 100 * time.Millisecond // after a full read that failed
	maxRetry = 5 * time.Second

	readTimeout     = 5 * time.Second // of one pod
	fullReadTimeout = 20 * time.Second

	// readers is how many pods are read at once after many have changed.
	readers = 4
	// maxPending bounds the pods that wait to be read; past it a full read is
	// cheaper.
	maxPending = 1000
)

// Source is where the pods are read, each merged with its template.
type Source interface {
	// Pods returns every pod of every tenant. An *UnmergedError beside them
	// holds those that could be read but not merged.
	Pods(ctx context.Context) ([]pods.Pod, error)
	// Pod returns one pod, or an error of KindNotFound when there is none, or
	// an *UnmergedError with that one pod.
	Pod(ctx context.Context, tenantID, podID string) (pods.Pod, error)
}

// Options configures a Feed. Source and Logger are required.
type Options struct {
	Source Source
	Logger *slog.Logger
	// Registerer takes the metrics, which are those of the gateway; nil keeps
	// them to the Feed.
	Registerer prometheus.Registerer
}

// Feed holds the current table. It is safe for concurrent use.
type Feed struct {
	source  Source
	logger  *slog.Logger
	metrics *metrics

	table atomic.Pointer[routes.Table]
	// loadedAt is when the last full read that succeeded began.
	loadedAt atomic.Pointer[time.Time]
	ready    chan struct{} // closed when there is a table

	wake   chan struct{} // one token per reader that may have work
	resync chan struct{} // holds a token when a full read is wanted at once

	mu      sync.Mutex
	pending map[podKey]time.Time // pods to read, and since when
	reading map[podKey]bool      // pods being read right now
	deaf    bool                 // announcements cannot be heard
	loads   int                  // full reads begun
	// during holds what was read of single pods while a full read is under
	// way, which may have seen them earlier; nil while there is none.
	during map[podKey]answer
	// reported are the problems of the table that have been logged.
	reported map[routes.Problem]bool
}

type podKey struct{ tenantID, podID string }

// New returns a Feed without a table: Run fills it.
func New(options Options) *Feed {
	f := &Feed{
		source:   options.Source,
		logger:   options.Logger,
		ready:    make(chan struct{}),
		wake:     make(chan struct{}, readers),
		resync:   make(chan struct{}, 1),
		pending:  map[podKey]time.Time{},
		reading:  map[podKey]bool{},
		reported: map[routes.Problem]bool{},
	}
	f.metrics = newMetrics(options.Registerer, f)
	return f
}

// Table returns the current table, nil before the first full read succeeded.
// The result never changes; ask again for each request.
func (f *Feed) Table() *routes.Table { return f.table.Load() }

// Ready is closed when there is a table.
func (f *Feed) Ready() <-chan struct{} { return f.ready }

// Wait returns the current table, and before the first full read waits for it.
//
// Errors: KindUnavailable when ctx ends before there is a table.
func (f *Feed) Wait(ctx context.Context) (*routes.Table, error) {
	select {
	case <-f.ready:
		return f.Table(), nil
	case <-ctx.Done():
		return nil, pods.Unavailable("The routes have not been read yet. Try again in a moment.", ctx.Err())
	}
}

// Age returns how old the newest full picture is: the time since the last full
// read that succeeded began, or a negative duration when there was none.
func (f *Feed) Age() time.Duration {
	at := f.loadedAt.Load()
	if at == nil {
		return -1
	}
	return time.Since(*at)
}

// Changed says that a pod is not as it was; its new state is read at once. It
// never blocks, and announcements that come while a pod waits to be read cost
// nothing.
func (f *Feed) Changed(tenantID, podID string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.enqueue(podKey{tenantID, podID}, time.Now())
}

// enqueue must be called with mu held.
func (f *Feed) enqueue(key podKey, since time.Time) {
	if _, waits := f.pending[key]; waits {
		return
	}
	if len(f.pending) >= maxPending {
		clear(f.pending)
		f.wantResync()
		return
	}
	f.pending[key] = since
	f.wakeReader()
}

// Connected says that announcements can be heard from now on. What was missed
// before is read at once.
func (f *Feed) Connected() { f.setDeaf(false) }

// Disconnected says that announcements cannot be heard: until Connected the
// pods are read every 2 s.
func (f *Feed) Disconnected() { f.setDeaf(true) }

func (f *Feed) setDeaf(deaf bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deaf = deaf
	f.wantResync()
}

func (f *Feed) wantResync() {
	select {
	case f.resync <- struct{}{}:
	default: // wanted already
	}
}

func (f *Feed) wakeReader() {
	select {
	case f.wake <- struct{}{}:
	default: // all of them have been told
	}
}

// Run reads until ctx ends, then returns nil once no read is under way. It
// must be called once.
func (f *Feed) Run(ctx context.Context) error {
	var group sync.WaitGroup
	for range readers {
		group.Go(func() { f.readChanged(ctx) })
	}
	f.readAll(ctx)
	group.Wait()
	return nil
}

// publish makes table the current one. Called with mu held.
func (f *Feed) publish(table *routes.Table) {
	if f.table.Swap(table) == nil {
		close(f.ready)
	}
}

// report logs problems that are new. Called with mu held.
func (f *Feed) report(problems []routes.Problem) {
	for _, problem := range problems {
		if !f.reported[problem] {
			f.reported[problem] = true
			f.logger.Warn("networking entry not routed",
				slog.String("tenant_id", problem.TenantID), slog.String("pod_id", problem.PodID),
				slog.String("key", problem.Key), slog.String("reason", problem.Reason))
		}
	}
}
