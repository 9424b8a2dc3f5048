package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/metadata"

	assets "github.com/pods-service/pods"
	"github.com/pods-service/pods/functions/health/reconcile"
	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/function"
	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/templates"
)

// tick is how often health compares all pods, as in every deployment.
const tick = 10 * time.Second

// healthSide is the function health with what feeds it: ticks and the changes
// in the cluster, by the Triggers that the service ships. What it asks other
// functions for goes to a Broker over HTTP; there it ends.
func healthSide(ctx context.Context, settings sideSettings, ready func(string, func() map[string]int64)) error {
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	config, err := kube.Config(settings.Kubeconfig)
	if err != nil {
		return err
	}
	cluster, err := kube.Connect(config, settings.Namespace)
	if err != nil {
		return err
	}
	watcher, err := metadata.NewForConfig(config)
	if err != nil {
		return err
	}
	pool, err := postgres.Open(ctx, settings.DatabaseURL, connections)
	if err != nil {
		return err
	}
	defer pool.Close()
	store := postgres.New(pool, postgres.Options{Now: time.Now})
	catalog, err := templates.NewCatalog(nil)
	if err != nil {
		return err
	}
	deriver := templates.NewDeriver(catalog, catalog, func(string) string { return fleetTenant.PodsDomain })

	var ticks, changes, asked, wholeCPU atomic.Int64
	sink, err := events.NewHTTPSink(events.HTTPSinkOptions{URL: settings.Sink})
	if err != nil {
		return err
	}
	publisher := function.NewPublisher(nil, logger) // no gateway is told of anything
	publisher.Start(store, sink, events.RelayOptions{Logger: logger})
	counting := &countingStore{Store: store}
	var ahead atomic.Int64 // of the clock, for health alone
	handler := reconcile.New(counting, cluster, deriver, reconcile.Options{
		Logger: logger,
		Relay:  publisher,
		Now:    func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
		Publish: func(sent []cloudevents.Event) {
			asked.Add(int64(len(sent)))
			publisher.Publish(sent)
		},
	})
	counted := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Ce-Type") != events.TypeTick {
			handler.ServeHTTP(w, r)
			changes.Add(1)
			return
		}
		whole := counting.overviews.Load()
		before, err := ownCPU()
		handler.ServeHTTP(w, r)
		after, laterErr := ownCPU()
		if err == nil && laterErr == nil && counting.overviews.Load() > whole {
			wholeCPU.Store(int64(after - before))
		}
		if ticks.Add(1) == 2 {
			// The first comparison of everything falls together with what a start
			// costs, so one that does not follows.
			ahead.Store(int64(reconcile.WholeAtLeast))
		}
	})
	triggers, err := events.ParseTriggers(assets.Triggers)
	if err != nil {
		return err
	}
	elsewhere := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	broker, err := events.NewBroker(triggers,
		map[string]http.Handler{"health": counted, "spawner": elsewhere, "logs": elsewhere, "api": elsewhere}, store, events.BrokerOptions{Logger: logger})
	if err != nil {
		return err
	}
	source := kube.NewSource(watcher, kube.SourceOptions{
		Namespace: settings.Namespace, Server: config.Host, Logger: logger, Send: broker.Send,
	})
	group, within := errgroup.WithContext(ctx)
	group.Go(func() error { return source.Run(within) })
	group.Go(func() error {
		events.Tick(within, broker, events.TickOptions{Namespace: settings.Namespace, Interval: tick, Logger: logger})
		return nil
	})
	ready("", func() map[string]int64 {
		return map[string]int64{
			"ticks": ticks.Load(), "changes": changes.Load(), "asked": asked.Load(),
			"whole": counting.overviews.Load(), "whole_ns": wholeCPU.Load(),
		}
	})
	return group.Wait()
}

// countingStore counts the comparisons of everything.
type countingStore struct {
	*postgres.Store
	overviews atomic.Int64
}

// Overview is what only those read.
func (s *countingStore) Overview(ctx context.Context) ([]pods.Pod, error) {
	s.overviews.Add(1)
	return s.Store.Overview(ctx)
}
