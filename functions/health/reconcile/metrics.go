package reconcile

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	ticks     prometheus.Histogram
	whole     prometheus.Counter
	moves     *prometheus.CounterVec
	starts    prometheus.Histogram
	leftovers prometheus.Gauge

	available   prometheus.Histogram
	statusDelay prometheus.Histogram
	rowsRead    prometheus.Counter
	rowsWritten prometheus.Counter
}

// newMetrics registers with registerer, or with none for nil.
func newMetrics(registerer prometheus.Registerer) *metrics {
	factory := promauto.With(registerer)
	return &metrics{
		ticks: factory.NewHistogram(prometheus.HistogramOpts{
			Name:    "pods_health_tick_seconds",
			Help:    "Time one tick took. It waits for a second or two to hear of changes in the cluster.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20},
		}),
		whole: factory.NewCounter(prometheus.CounterOpts{
			Name: "pods_health_whole_comparisons_total",
			Help: "Comparisons of all pods with the cluster, not just of those that changed.",
		}),
		moves: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "pods_health_moves_total",
			Help: "Pods that health moved to another status, by that status.",
		}, []string{"status"}),
		starts: factory.NewHistogram(prometheus.HistogramOpts{
			Name:    "pods_start_seconds",
			Help:    "Time from a pod's objects being made to its container running.",
			Buckets: []float64{.25, .5, .75, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 1800},
		}),
		leftovers: factory.NewGauge(prometheus.GaugeOpts{
			Name: "pods_health_leftovers",
			Help: "Kubernetes pods of runs that are over, as the last tick found them.",
		}),
		available: factory.NewHistogram(prometheus.HistogramOpts{
			Name:    "pods_available_seconds",
			Help:    "Time from the request to start a pod to its being AVAILABLE.",
			Buckets: []float64{.5, .75, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 1800},
		}),
		statusDelay: factory.NewHistogram(prometheus.HistogramOpts{
			Name:    "pods_status_delay_seconds",
			Help:    "Time from a container's start, which Kubernetes tells in whole seconds, to its pod's being AVAILABLE.",
			Buckets: []float64{.25, .5, .75, 1, 1.5, 2, 3, 5, 10, 20, 30, 60, 300},
		}),
		rowsRead: factory.NewCounter(prometheus.CounterOpts{
			Name: "pods_health_rows_read_total",
			Help: "Rows that health has read to compare pods with the cluster.",
		}),
		rowsWritten: factory.NewCounter(prometheus.CounterOpts{
			Name: "pods_health_rows_written_total",
			Help: "Rows that health has changed after comparing pods with the cluster.",
		}),
	}
}
