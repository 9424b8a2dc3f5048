package server

import (
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	open     *prometheus.GaugeVec
	accepted *prometheus.CounterVec
	rejected *prometheus.CounterVec
}

// Why connections are closed before they are looked at.
const (
	reasonClient = "client" // its address has too many
	reasonHeader = "header" // that of the PROXY protocol is missing or broken
)

func newMetrics(registerer prometheus.Registerer) *metrics {
	factory := promauto.With(registerer)
	return &metrics{
		open: factory.NewGaugeVec(prometheus.GaugeOpts{
			Name: "pods_gateway_open_connections", Help: "Open connections of visitors for HTTP that were not upgraded.",
		}, []string{"listener"}),
		accepted: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "pods_gateway_connections_total", Help: "Connections of visitors that were accepted.",
		}, []string{"listener"}),
		rejected: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "pods_gateway_rejected_connections_total", Help: "Connections of visitors that were closed at once.",
		}, []string{"listener", "reason"}),
	}
}

func (m *metrics) refused(listener, reason string) {
	m.rejected.WithLabelValues(listener, reason).Inc()
}

// connState counts the connections for HTTP of one listener.
func (m *metrics) connState(listener string) func(net.Conn, http.ConnState) {
	open := m.open.WithLabelValues(listener)
	return func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Inc()
		case http.StateClosed, http.StateHijacked:
			open.Dec()
		case http.StateActive, http.StateIdle:
		}
	}
}
