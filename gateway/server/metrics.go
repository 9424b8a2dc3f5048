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
}

func newMetrics(registerer prometheus.Registerer) *metrics {
	factory := promauto.With(registerer)
	return &metrics{
		open: factory.NewGaugeVec(prometheus.GaugeOpts{
			Name: "pods_gateway_open_connections", Help: "Open connections of visitors that were not upgraded.",
		}, []string{"listener"}),
		accepted: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "pods_gateway_connections_total", Help: "Connections of visitors that were accepted.",
		}, []string{"listener"}),
	}
}

// connState counts the connections of one listener.
func (m *metrics) connState(listener string) func(net.Conn, http.ConnState) {
	open, accepted := m.open.WithLabelValues(listener), m.accepted.WithLabelValues(listener)
	return func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Inc()
			accepted.Inc()
		case http.StateClosed, http.StateHijacked:
			open.Dec()
		case http.StateActive, http.StateIdle:
		}
	}
}
