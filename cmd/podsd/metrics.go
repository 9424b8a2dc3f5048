package main

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/pods-service/pods/shared/postgres"
)

// newRegistry returns a registry with the metrics of the process itself.
func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

// observeRequests counts and times the API's requests by route.
func observeRequests(registry prometheus.Registerer) func(route string, status int, elapsed time.Duration) {
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "pods_api_request_duration_seconds",
		Help:    "Time to answer a request, by route and HTTP status.",
		Buckets: prometheus.ExponentialBuckets(0.001, 2, 14), // 1 ms to 8 s
	}, []string{"route", "status"})
	registry.MustRegister(duration)
	return func(route string, status int, elapsed time.Duration) {
		duration.WithLabelValues(route, strconv.Itoa(status)).Observe(elapsed.Seconds())
	}
}

// observeOutbox tells at each scrape how many events wait to be delivered and
// how long the oldest has waited; NaN while the database cannot be asked.
func observeOutbox(registry prometheus.Registerer, store *postgres.Store) {
	read := func(pick func(count int, oldest time.Duration) float64) func() float64 {
		return func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			count, oldest, err := store.OutboxDepth(ctx)
			if err != nil {
				return math.NaN()
			}
			return pick(count, oldest)
		}
	}
	registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "pods_outbox_events", Help: "Events that wait to be delivered.",
		}, read(func(count int, _ time.Duration) float64 { return float64(count) })),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "pods_outbox_oldest_seconds", Help: "How long the oldest of them has waited.",
		}, read(func(_ int, oldest time.Duration) float64 { return oldest.Seconds() })),
	)
}

func metricsHandler(registry *prometheus.Registry) http.Handler {
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}
