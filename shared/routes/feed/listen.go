package feed

import (
	"context"

	"github.com/pods-service/pods/shared/cache"
)

// Listen hears through Redis of pods that have changed, until ctx ends.
func (f *Feed) Listen(ctx context.Context, changes *cache.Cache) {
	changes.Subscribe(ctx, cache.Subscriber{
		Changed:      func(c cache.Change) { f.Changed(c.TenantID, c.PodID) },
		Connected:    f.Connected,
		Disconnected: f.Disconnected,
	})
}
