package function

import (
	"context"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pods-service/pods/shared/postgres"
)

// ObserveOutbox tells at each scrape how many events wait to be delivered and
// how long the oldest has waited; NaN while the database cannot be asked.
func ObserveOutbox(registry prometheus.Registerer, store *postgres.Store) {
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
