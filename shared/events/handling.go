package events

import (
	"net/http"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// handling measures what functions do with events, whoever delivers them. It is
// one for the process: RegisterHandling shows it.
var handling = newHandlingMetrics()

type handlingMetrics struct {
	seconds *prometheus.HistogramVec
	wait    *prometheus.HistogramVec
}

func newHandlingMetrics() *handlingMetrics {
	return &handlingMetrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "pods_event_handle_seconds",
			Help:    "Time a function took for an event, by function and result: done, refused, later or failed.",
			Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"function", "result"}),
		wait: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "pods_event_wait_seconds",
			Help:    "Time from an event to a function's beginning with it, by function.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
		}, []string{"function"}),
	}
}

// RegisterHandling registers what Handle measures in this process. It panics
// when it is registered with registerer already.
func RegisterHandling(registerer prometheus.Registerer) {
	registerer.MustRegister(handling.seconds, handling.wait)
}

func (m *handlingMetrics) observe(function string, event cloudevents.Event, status int, start time.Time) {
	m.seconds.WithLabelValues(function, handlingResult(status)).Observe(time.Since(start).Seconds())
	if at := event.Time(); !at.IsZero() {
		m.wait.WithLabelValues(function).Observe(max(0, start.Sub(at).Seconds())) // clocks differ
	}
}

// handlingResult names an acknowledgement.
func handlingResult(status int) string {
	switch status {
	case http.StatusAccepted:
		return "done"
	case http.StatusBadRequest:
		return "refused"
	case http.StatusServiceUnavailable:
		return "later"
	}
	return "failed"
}
