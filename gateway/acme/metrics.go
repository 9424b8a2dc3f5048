package acme

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// How orders end.
const (
	resultIssued  = "issued"
	resultFailed  = "failed"
	resultLimited = "limited" // the CA was not asked
)

type metrics struct {
	orders    *prometheus.CounterVec
	fallbacks prometheus.Counter
}

func newMetrics(registerer prometheus.Registerer) *metrics {
	factory := promauto.With(registerer)
	m := &metrics{
		orders: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "pods_gateway_acme_orders_total", Help: "Certificates ordered by ACME, by how it has ended.",
		}, []string{"result"}),
		fallbacks: factory.NewCounter(prometheus.CounterOpts{
			Name: "pods_gateway_acme_fallbacks_total", Help: "TLS handshakes for pods answered with another certificate, as there was none by ACME.",
		}),
	}
	for _, result := range []string{resultIssued, resultFailed, resultLimited} {
		m.orders.WithLabelValues(result) // so that the first failure is seen as a rise
	}
	return m
}
