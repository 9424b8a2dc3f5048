package streams

import (
	"crypto/tls"
	"fmt"
	"net"
)

// alpnChallenge is by what a CA asks, of any host, whether it is ours (RFC
// 8737). Nothing of a pod is within.
const alpnChallenge = "acme-tls/1"

// isChallenge reports whether it is a CA that asks: it offers nothing else.
func (said *hello) isChallenge() bool {
	return len(said.protocols) == 1 && said.protocols[0] == alpnChallenge && said.serverName != ""
}

// answerChallenge shows the CA the certificate that it wants to see and closes
// the connection. The time for it is that of conn.
func (h *Handler) answerChallenge(conn net.Conn) error {
	visitor := tls.Server(conn, &tls.Config{
		MinVersion: tls.VersionTLS12, GetCertificate: h.options.GetChallenge, NextProtos: []string{alpnChallenge},
	})
	if err := visitor.Handshake(); err != nil {
		return fmt.Errorf("challenge of a CA: %w", err)
	}
	return visitor.Close()
}
