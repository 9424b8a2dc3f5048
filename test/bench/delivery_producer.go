package main

import (
	"context"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"golang.org/x/sync/errgroup"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/postgres"
)

// commitsAtOnce bounds the transactions of one producer.
const commitsAtOnce = 32

// producerSide commits changes of pods at a steady rate, each with its event,
// and relays the events as every function does: at once after the commit, and
// what an earlier process has left when it starts and at every tick.
func producerSide(ctx context.Context, settings sideSettings, ready func(string, func() map[string]int64)) error {
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	pool, err := postgres.Open(ctx, settings.DatabaseURL, connections)
	if err != nil {
		return err
	}
	defer pool.Close()
	var relay *events.Relay
	store := postgres.New(pool, postgres.Options{Now: time.Now, Committed: func(written []cloudevents.Event) { relay.Enqueue(written) }})
	sink, err := events.NewHTTPSink(events.HTTPSinkOptions{URL: settings.Sink})
	if err != nil {
		return err
	}
	relay = events.NewRelay(store, sink, events.RelayOptions{Logger: logger})
	rows, err := store.Overview(ctx)
	if err != nil {
		return err
	}
	var mine []pods.Pod // two processes would wait for each other's locks
	for i, row := range rows {
		if i%settings.Parts == settings.Part {
			mine = append(mine, row)
		}
	}
	if _, err := relay.Flush(ctx, 0); err != nil {
		return err
	}
	var commits atomic.Int64
	ready("", func() map[string]int64 { return map[string]int64{"commits": commits.Load()} })

	var flushing sync.WaitGroup
	flushing.Go(func() {
		for pause(ctx, tick) == nil {
			if _, err := relay.Flush(ctx, 5*time.Second); err != nil && ctx.Err() == nil {
				logger.Error("flush", "error", err)
			}
		}
	})
	defer flushing.Wait()
	group := errgroup.Group{}
	group.SetLimit(commitsAtOnce)
	ticker := time.NewTicker(time.Second / time.Duration(settings.Rate))
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-ticker.C:
			n := commits.Add(1)
			pod := mine[int(n)%len(mine)]
			group.Go(func() error {
				news := pods.ContainerStatus{Phase: "Running", Message: strconv.FormatInt(time.Now().UnixNano(), 10)}
				return store.UpdateContainer(context.WithoutCancel(ctx), pod.Ref(), news)
			})
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), deliveryPatience)
	defer cancel()
	return relay.Close(closing)
}
