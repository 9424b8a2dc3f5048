package proxy

import (
	"context"
	"net"
	"time"
)

// Dial is how a Handler connects to pods.
type Dial = func(ctx context.Context, network, address string) (net.Conn, error)

// WrapDial puts wrap around each single attempt to connect to a pod.
func (h *Handler) WrapDial(wrap func(Dial) Dial) { h.dialer.dial = wrap(h.dialer.dial) }

// NewPatientDialer returns the Dial that waits for pods, on top of dial.
func NewPatientDialer(dial Dial, patience time.Duration) Dial {
	d := newPatientDialer(0, patience)
	d.dial = dial
	return d.Dial
}
