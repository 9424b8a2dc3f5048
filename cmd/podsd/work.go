package main

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/manifests"
)

// work sends what an earlier process has left, watches the cluster and ticks,
// until ctx ends.
func (s *service) work(ctx context.Context) error {
	if err := s.prepareCluster(ctx); err != nil {
		return nil //nolint:nilerr // only ctx ends the attempts
	}
	if err := s.publisher.Resume(ctx); err != nil {
		s.logger.Warn("the outbox waits for the next tick", "error", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.source.Run(ctx) })
	group.Go(func() error {
		events.Tick(ctx, s.broker, events.TickOptions{
			Namespace: s.settings.Namespace, Interval: s.settings.Tick, Logger: s.logger,
		})
		return nil
	})
	return group.Wait()
}

// prepareCluster makes the namespace of the pods, and goes on trying while the
// cluster cannot be reached. It fails only when ctx ends.
func (s *service) prepareCluster(ctx context.Context) error {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := s.cluster.EnsureNamespace(ctx, manifests.Namespace(s.settings.Namespace, s.settings.storage))
		if err == nil {
			return nil
		}
		s.logger.Warn("the namespace cannot be made yet", "namespace", s.settings.Namespace, "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}
