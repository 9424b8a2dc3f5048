package streams

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/pods-service/pods/gateway/relay"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/routes"
)

// Serve passes bytes between the client and the pod until both have ended, and
// closes the connection. When ctx ends it is cut.
func (s *Stream) Serve(ctx context.Context) {
	defer s.conn.Close()
	open := s.handler.metrics.open[s.protocol]
	open.Inc()
	defer open.Dec()
	serve := s.serveTCP
	if s.protocol == pods.ProtocolPostgres {
		serve = s.servePostgres
	}
	s.record(ctx, serve)
}

// serveTCP ends TLS and gives the pod what is within.
func (s *Stream) serveTCP(ctx context.Context) (result, error) {
	if !s.isAllowed() {
		return refused, nil
	}
	visitor, err := s.handshake(ctx)
	if err != nil {
		return noTLS, err
	}
	defer visitor.Close()
	if s.route.State != routes.StateServing {
		return notServing, nil
	}
	pod, err := s.handler.dialer.Dial(ctx, "tcp", s.route.Target)
	if err != nil {
		return unreachable, err
	}
	return s.pipe(ctx, visitor, pod)
}

// isAllowed reports whether the client may use the route from where it is.
func (s *Stream) isAllowed() bool {
	if s.route.AllowList.AllowsAll() {
		return true
	}
	from, err := netip.ParseAddrPort(s.conn.RemoteAddr().String())
	return err == nil && s.route.AllowList.Allows(from.Addr())
}

// handshake ends the client's TLS here, with the certificate of the host.
func (s *Stream) handshake(ctx context.Context) (*tls.Conn, error) {
	_ = s.conn.SetDeadline(time.Now().Add(s.handler.options.FirstTimeout)) // one that takes none fails below
	visitor := tls.Server(s.conn, s.config())
	if err := visitor.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return visitor, s.conn.SetDeadline(time.Time{})
}

// config accepts any ALPN, as what the pod speaks is not known. A client that
// offers a single protocol is told that it is spoken: it can speak no other,
// and some insist on an answer.
func (s *Stream) config() *tls.Config {
	if s.protocol == pods.ProtocolPostgres && s.hello.names(alpnPostgres) {
		return s.handler.postgres
	}
	if s.protocol == pods.ProtocolTCP && len(s.hello.protocols) == 1 {
		config := s.handler.tcp.Clone()
		config.NextProtos = s.hello.protocols
		return config
	}
	return s.handler.tcp
}

// pipe ties the two connections together until both have ended.
func (s *Stream) pipe(ctx context.Context, visitor, pod net.Conn) (result, error) {
	figures := s.handler.options.Usage.Of(s.route)
	figures.Connections.Add(1)
	pipe := &relay.Pipe{
		Visitor: visitor, Pod: pod,
		Received: []*atomic.Int64{&s.received, &figures.Received},
		Sent:     []*atomic.Int64{&s.sent, &figures.Sent},
	}
	err := pipe.Run(ctx)
	switch {
	case ctx.Err() != nil:
		return cut, nil
	case err != nil:
		return broken, err
	}
	return ended, nil
}
