package function

import (
	"context"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pods-service/pods/shared/postgres"
)

// scrapeTimeout bounds what the database is asked for one metric.
const scrapeTimeout = 2 * time.Second

// ObserveOutbox tells at each scrape how many events wait to be delivered, how
// long the oldest has waited and how many dead letters there are; NaN while the
// database cannot be asked.
func ObserveOutbox(registry prometheus.Registerer, store *postgres.Store) {
	read := func(pick func(count int, oldest time.Duration) float64) func() float64 {
		return func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
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
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "pods_dead_letters", Help: "Events that no retry could deliver, kept to be looked at.",
		}, func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
			defer cancel()
			count, err := store.DeadLetterCount(ctx)
			if err != nil {
				return math.NaN()
			}
			return float64(count)
		}),
	)
}
