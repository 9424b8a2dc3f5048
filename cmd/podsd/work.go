package main

import (
	"context"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"golang.org/x/sync/errgroup"

	"github.com/pods-service/pods/gateway/feed"
	"github.com/pods-service/pods/shared/cache"
	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/manifests"
	"github.com/pods-service/pods/shared/pods"
)

// committed is told of the events of each transaction: it has them delivered
// and tells every gateway of the pods they are about.
func (s *service) committed(written []cloudevents.Event) {
	s.relay.Enqueue(written)
	seen := map[cache.Change]bool{}
	for _, event := range written {
		data, err := events.PodDataOf(event)
		change := cache.Change{TenantID: data.TenantID, PodID: data.PodID}
		if err != nil || seen[change] {
			continue
		}
		seen[change] = true
		go s.cache.Publish(context.Background(), change) // bounded to 250 ms by the cache
	}
}

// publish delivers events that are in no outbox: whoever sends them sends them
// again.
func (s *service) publish(sent []cloudevents.Event) {
	for _, event := range sent {
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
			defer cancel()
			if err := s.broker.Send(ctx, event); err != nil {
				s.logger.Warn("an event got lost", "type", event.Type(), "subject", event.Subject(), "error", err)
			}
		}()
	}
}

// listen hears of changed pods until ctx ends.
func (s *service) listen(ctx context.Context) {
	s.cache.Subscribe(ctx, cache.Subscriber{
		Changed:      func(c cache.Change) { s.feed.Changed(c.TenantID, c.PodID) },
		Connected:    s.feed.Connected,
		Disconnected: s.feed.Disconnected,
	})
}

// work sends what an earlier process has left, watches the cluster and ticks,
// until ctx ends.
func (s *service) work(ctx context.Context) error {
	if err := s.prepareCluster(ctx); err != nil {
		return nil //nolint:nilerr // only ctx ends the attempts
	}
	if _, err := s.relay.Flush(ctx, 0); err != nil {
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
		err := s.cluster.EnsureNamespace(ctx, manifests.Namespace(s.settings.Namespace))
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

// routed is where the gateway reads pods: the store's, merged with their
// templates. One that cannot be merged is reported beside the others: without
// its template nobody knows whom it would let in.
type routed struct{ *service }

// Pods implements feed.Source.
func (r routed) Pods(ctx context.Context) ([]pods.Pod, error) {
	list, err := r.store.Everything(ctx)
	if err != nil {
		return nil, err
	}
	merged := make([]pods.Pod, 0, len(list))
	failed := &feed.UnmergedError{}
	for _, pod := range list {
		derived, err := r.deriver.Derive(ctx, pod)
		if err != nil {
			failed.Pods = append(failed.Pods, feed.Unmerged{Pod: pod, Err: err})
			continue
		}
		merged = append(merged, derived.Pod)
	}
	if len(failed.Pods) > 0 {
		return merged, failed
	}
	return merged, nil
}

// Pod implements feed.Source.
func (r routed) Pod(ctx context.Context, tenantID, podID string) (pods.Pod, error) {
	pod, _, err := r.store.Pod(ctx, tenantID, podID)
	if err != nil {
		return pods.Pod{}, err
	}
	derived, err := r.deriver.Derive(ctx, pod)
	if err != nil {
		return pods.Pod{}, &feed.UnmergedError{Pods: []feed.Unmerged{{Pod: pod, Err: err}}}
	}
	return derived.Pod, nil
}
