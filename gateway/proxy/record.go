package proxy

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// maxLogged bounds each text that a client chooses, in bytes.
const maxLogged = 256

// classes are the label values of a request's outcome, by the first digit of
// its status. "none" stands for a request that ended without an answer.
var classes = [...]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}

type metrics struct {
	requests [len(classes)]prometheus.Counter
	duration [len(classes)]prometheus.Observer
	active   prometheus.Gauge
	upgraded prometheus.Gauge
}

func newMetrics(registerer prometheus.Registerer) *metrics {
	factory := promauto.With(registerer)
	requests := factory.NewCounterVec(prometheus.CounterOpts{
		Name: "pods_gateway_requests_total", Help: "Requests of visitors, by class of status; 1xx are upgrades.",
	}, []string{"code"})
	duration := factory.NewHistogramVec(prometheus.HistogramOpts{
		Name: "pods_gateway_request_duration_seconds", Help: "From the header of a request to the end of its answer.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60},
	}, []string{"code"})
	m := &metrics{
		active: factory.NewGauge(prometheus.GaugeOpts{
			Name: "pods_gateway_active_requests", Help: "Requests being served, upgraded connections among them.",
		}),
		upgraded: factory.NewGauge(prometheus.GaugeOpts{
			Name: "pods_gateway_upgraded_connections", Help: "Open connections that were upgraded, as to WebSocket.",
		}),
	}
	for i, class := range classes { // looked up once, not per request
		m.requests[i] = requests.WithLabelValues(class)
		m.duration[i] = duration.WithLabelValues(class)
	}
	return m
}

// finish counts and logs a request that has ended, well or by a panic.
func (h *Handler) finish(x *exchange, r *http.Request) {
	took := time.Since(x.started)
	h.metrics.active.Dec()
	if x.status == http.StatusSwitchingProtocols {
		h.metrics.upgraded.Dec()
	}
	if x.usage != nil {
		x.usage.Requests.Add(1)
		x.usage.Sent.Add(x.written)
	}
	class := x.status / 100
	if class >= len(classes) || x.status == statusClientGone {
		class = 0
	}
	h.metrics.requests[class].Inc()
	h.metrics.duration[class].Observe(took.Seconds())
	if h.logger.Enabled(r.Context(), h.accessLevel) {
		h.logger.LogAttrs(r.Context(), h.accessLevel, "request", x.attributes(r, took)...)
	}
}

// attributes says what was asked for and what came of it. It leaves out the
// query, every header that may identify or authorize somebody, and all bodies.
func (x *exchange) attributes(r *http.Request, took time.Duration) []slog.Attr {
	attributes := make([]slog.Attr, 0, 16)
	attributes = append(attributes,
		slog.String("method", clip(r.Method)),
		slog.String("host", x.host),
		slog.String("path", clip(r.URL.Path)),
		slog.String("protocol", r.Proto),
		slog.Bool("tls", r.TLS != nil),
		slog.String("client", r.RemoteAddr),
		slog.Int("status", x.status),
		slog.Int64("bytes", x.written),
		slog.Duration("took", took),
	)
	if x.route != nil {
		attributes = append(attributes,
			slog.String("tenant_id", x.route.TenantID),
			slog.String("pod_id", x.route.PodID),
			slog.String("key", x.route.Key),
			slog.String("target", x.route.Target),
		)
	}
	if x.failure != nil {
		attributes = append(attributes, slog.String("error", clip(x.failure.Error())))
	}
	return attributes
}

func clip(text string) string {
	if len(text) > maxLogged {
		return text[:maxLogged] + "..."
	}
	return text
}
