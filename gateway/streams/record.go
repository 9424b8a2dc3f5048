package streams

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/pods-service/pods/shared/pods"
)

// result says how a connection has ended.
type result string

// The results of connections that were passed on to a pod, then those of
// connections that were not.
const (
	ended  result = "ended"  // by both sides
	broken result = "broken" // one side failed, or left the other
	cut    result = "cut"    // the time to drain was over

	refused     result = "refused" // the client's address is not allowed
	noTLS       result = "no_tls"  // none was wanted, or the handshake failed
	noRoute     result = "no_route"
	notServing  result = "not_serving"
	unreachable result = "unreachable"
	badAnswer   result = "bad_answer" // the pod does not speak the protocol
)

// unknown is the protocol of connections that have ended before there was one.
const unknown = "unknown"

// maxLogged bounds the text of an error, in bytes.
const maxLogged = 256

type metrics struct {
	open     map[string]prometheus.Gauge // by protocol
	streams  *prometheus.CounterVec
	duration *prometheus.HistogramVec
	bytes    *prometheus.CounterVec
}

func newMetrics(registerer prometheus.Registerer) *metrics {
	factory := promauto.With(registerer)
	open := factory.NewGaugeVec(prometheus.GaugeOpts{
		Name: "pods_gateway_open_streams", Help: "Open connections of other protocols than HTTP.",
	}, []string{"protocol"})
	return &metrics{
		open: map[string]prometheus.Gauge{
			pods.ProtocolTCP: open.WithLabelValues(pods.ProtocolTCP), pods.ProtocolPostgres: open.WithLabelValues(pods.ProtocolPostgres),
		},
		streams: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "pods_gateway_streams_total", Help: "Connections of other protocols than HTTP, by how they have ended.",
		}, []string{"protocol", "result"}),
		duration: factory.NewHistogramVec(prometheus.HistogramOpts{
			Name: "pods_gateway_stream_duration_seconds", Help: "From the first byte of such a connection to its end.",
			Buckets: []float64{.01, .1, 1, 10, 60, 600, 3600, 6 * 3600, 24 * 3600},
		}, []string{"protocol"}),
		bytes: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "pods_gateway_stream_bytes_total", Help: "Bytes of such connections that have ended, in from clients and out to them.",
		}, []string{"protocol", "direction"}),
	}
}

// record serves the connection, and counts and logs it when it has ended.
func (s *Stream) record(ctx context.Context, serve func(context.Context) (result, error)) {
	h := s.handler
	result, err := serve(ctx)
	took := time.Since(s.started)
	h.metrics.streams.WithLabelValues(s.protocol, string(result)).Inc()
	h.metrics.duration.WithLabelValues(s.protocol).Observe(took.Seconds())
	h.metrics.bytes.WithLabelValues(s.protocol, "in").Add(float64(s.received.Load()))
	h.metrics.bytes.WithLabelValues(s.protocol, "out").Add(float64(s.sent.Load()))
	if !h.options.Logger.Enabled(ctx, h.options.AccessLevel) {
		return
	}
	attributes := make([]slog.Attr, 0, 16)
	attributes = append(attributes,
		slog.String("protocol", s.protocol),
		slog.String("host", s.host),
		slog.String("client", s.conn.RemoteAddr().String()),
		slog.String("result", string(result)),
		slog.Int64("received", s.received.Load()),
		slog.Int64("sent", s.sent.Load()),
		slog.Duration("took", took),
	)
	if s.route != nil {
		attributes = append(attributes,
			slog.String("tenant_id", s.route.TenantID),
			slog.String("pod_id", s.route.PodID),
			slog.String("key", s.route.Key),
			slog.String("target", s.route.Target),
		)
	}
	if err != nil {
		attributes = append(attributes, slog.String("error", clip(err.Error())))
	}
	h.options.Logger.LogAttrs(ctx, h.options.AccessLevel, "connection", attributes...)
}

// recordUnidentified does the same for a connection of which it is not known
// what the client wanted.
func (h *Handler) recordUnidentified(ctx context.Context, conn net.Conn, started time.Time, err error) {
	h.metrics.streams.WithLabelValues(unknown, string(noTLS)).Inc()
	h.options.Logger.LogAttrs(ctx, slog.LevelDebug, "connection not understood",
		slog.String("client", conn.RemoteAddr().String()),
		slog.Duration("took", time.Since(started)), slog.String("error", clip(err.Error())))
}

func clip(text string) string {
	if len(text) > maxLogged {
		return text[:maxLogged] + "..."
	}
	return text
}
