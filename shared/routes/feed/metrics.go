package feed

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/pods-service/pods/shared/routes"
)

// What a read covers.
const (
	kindFull   = "full"
	kindSingle = "single"
)

type metrics struct {
	reads *prometheus.CounterVec
	lag   prometheus.Histogram
}

func newMetrics(registerer prometheus.Registerer, f *Feed) *metrics {
	factory := promauto.With(registerer)
	factory.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "pods_gateway_routes", Help: "Hosts that have a route.",
	}, func() float64 { return float64(f.tableOrEmpty().Len()) })
	factory.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "pods_gateway_route_problems", Help: "Networking entries without a route to a target.",
	}, func() float64 { return float64(len(f.tableOrEmpty().Problems())) })
	factory.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "pods_gateway_routes_age_seconds",
		Help: "Time since the last full read of the pods that succeeded; -1 before the first.",
	}, func() float64 {
		if age := f.Age(); age >= 0 {
			return age.Seconds()
		}
		return -1
	})
	return &metrics{
		reads: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "pods_gateway_route_reads_total", Help: "Reads of pods for the route table.",
		}, []string{"kind", "result"}),
		lag: factory.NewHistogram(prometheus.HistogramOpts{
			Name:    "pods_gateway_route_lag_seconds",
			Help:    "Time from the announcement of a change to the table that has it.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5},
		}),
	}
}

func (f *Feed) tableOrEmpty() *routes.Table {
	if table := f.table.Load(); table != nil {
		return table
	}
	return &routes.Table{}
}

func (m *metrics) read(kind string, err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	m.reads.WithLabelValues(kind, result).Inc()
}
