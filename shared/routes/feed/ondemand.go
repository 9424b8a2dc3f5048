package feed

import (
	"context"
	"sync"

	"github.com/pods-service/pods/shared/cache"
	"github.com/pods-service/pods/shared/routes"
)

// OnDemand is a Feed that reads nothing before somebody asks for the table: a
// program that nobody asks does not read all pods.
type OnDemand struct {
	feed    *Feed
	changes *cache.Cache
	wanted  chan struct{} // closed by the first who asks
	want    sync.Once
}

// NewOnDemand returns an OnDemand that hears through changes of pods that have
// changed.
func NewOnDemand(options Options, changes *cache.Cache) *OnDemand {
	return &OnDemand{feed: New(options), changes: changes, wanted: make(chan struct{})}
}

// Run waits until somebody asks for the table and keeps it current from then
// on, until ctx ends; the end of ctx is no error. It must be called once.
func (d *OnDemand) Run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-d.wanted:
	}
	var group sync.WaitGroup
	group.Go(func() { d.feed.Listen(ctx, d.changes) })
	err := d.feed.Run(ctx)
	group.Wait()
	return err
}

// Wait returns the current table. The first call has it read.
//
// Errors: KindUnavailable when ctx ends before there is a table.
func (d *OnDemand) Wait(ctx context.Context) (*routes.Table, error) {
	d.want.Do(func() { close(d.wanted) })
	return d.feed.Wait(ctx)
}
