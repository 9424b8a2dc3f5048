package events

import (
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// How a delivery can end.
const (
	resultAcknowledged = "acknowledged"
	resultDeadLetter   = "dead_letter"
	resultDropped      = "dropped"     // not taken, and the trigger keeps no dead letters
	resultFailed       = "failed"      // not taken, and the dead letter could not be kept
	resultInterrupted  = "interrupted" // the process stops
)

// Metrics counts what broker and relay do.
type Metrics struct {
	deliveries *prometheus.CounterVec
	retries    *prometheus.CounterVec
	attempts   *prometheus.HistogramVec
	age        *prometheus.HistogramVec
	relayed    *prometheus.CounterVec
	inFlight   prometheus.Gauge
}

// NewMetrics registers the metrics with registerer; nil leaves them
// unregistered. It panics when they are registered already.
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	factory := promauto.With(registerer)
	buckets := []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}
	return &Metrics{
		deliveries: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "pods_event_deliveries_total",
			Help: "Deliveries that have ended, by trigger and result; dead_letter counts the dead letters.",
		}, []string{"trigger", "result"}),
		retries: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "pods_event_retries_total", Help: "Attempts after the first, by trigger.",
		}, []string{"trigger"}),
		attempts: factory.NewHistogramVec(prometheus.HistogramOpts{
			Name: "pods_event_attempt_seconds", Help: "Time one attempt took, by trigger.", Buckets: buckets,
		}, []string{"trigger"}),
		age: factory.NewHistogramVec(prometheus.HistogramOpts{
			Name: "pods_event_age_seconds", Help: "Time from an event to its acknowledgement, by trigger.", Buckets: buckets,
		}, []string{"trigger"}),
		relayed: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "pods_outbox_relayed_total", Help: "Events taken from the outbox, by result.",
		}, []string{"result"}),
		inFlight: factory.NewGauge(prometheus.GaugeOpts{
			Name: "pods_outbox_in_flight", Help: "Events of the outbox being delivered now.",
		}),
	}
}

func (m *Metrics) acknowledged(trigger string, event cloudevents.Event, now time.Time) {
	m.ended(trigger, resultAcknowledged)
	if !event.Time().IsZero() {
		m.age.WithLabelValues(trigger).Observe(now.Sub(event.Time()).Seconds())
	}
}

func (m *Metrics) ended(trigger, result string) { m.deliveries.WithLabelValues(trigger, result).Inc() }

func (m *Metrics) retried(trigger string) { m.retries.WithLabelValues(trigger).Inc() }

func (m *Metrics) attempted(trigger string, took time.Duration) {
	m.attempts.WithLabelValues(trigger).Observe(took.Seconds())
}
