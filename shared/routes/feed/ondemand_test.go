package feed_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pods-service/pods/shared/cache"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/routes/feed"
)

// TestOnDemand asks for the table while nobody has read it, and Redis is away.
func TestOnDemand(t *testing.T) {
	t.Parallel()

	logger := slog.New(slog.DiscardHandler)
	changes, err := cache.Open(cache.Options{URL: "redis://127.0.0.1:1", Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = changes.Close() })
	s := newSource(newPod("web", pods.StatusAvailable))
	table := feed.NewOnDemand(feed.Options{Source: s, Logger: logger}, changes)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- table.Run(ctx) }()

	asking, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	got, err := table.Wait(asking)
	if err != nil {
		t.Fatal(err)
	}
	if got.Len() != 1 {
		t.Errorf("the table has %d routes", got.Len())
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// TestOnDemandUnasked lets a day go by in which nobody asks.
func TestOnDemandUnasked(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := newSource(newPod("web", pods.StatusAvailable))
		table := feed.NewOnDemand(feed.Options{Source: s, Logger: slog.New(slog.DiscardHandler)}, nil)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- table.Run(ctx) }()
		time.Sleep(24 * time.Hour) // of the test's own clock
		if _, reads := s.counts(); reads != 0 {
			t.Errorf("the pods are read %d times", reads)
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// TestOnDemandWithoutATable asks while nothing can be read, and ends unasked.
func TestOnDemandWithoutATable(t *testing.T) {
	t.Parallel()

	table := feed.NewOnDemand(feed.Options{Source: newSource(), Logger: slog.New(slog.DiscardHandler)}, nil)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := table.Run(over); err != nil {
		t.Errorf("Run: %v", err)
	}
	if _, err := table.Wait(over); pods.KindOf(err) != pods.KindUnavailable {
		t.Errorf("Wait: %v", err)
	}
}
