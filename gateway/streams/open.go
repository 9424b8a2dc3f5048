package streams

import (
	"context"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/pods-service/pods/gateway/relay"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/routes"
)

// firstRead is how much of a connection is read at once before it is known what
// it is: as a rule a whole ClientHello.
const firstRead = 2 << 10

// Stream is a connection that is not for HTTP. Serve must be called once.
type Stream struct {
	handler  *Handler
	conn     net.Conn // nothing of it is lost that the pod is to see
	hello    *hello   // nil when the client speaks no TLS
	protocol string
	host     string        // canonical, empty when the client names none
	route    *routes.Route // nil when there is none
	started  time.Time

	received, sent atomic.Int64 // bytes from the client and to it
}

// Open reads the start of conn until it is known what the client wants, and
// returns either what is to be served here or the connection as it was, for
// HTTP. It returns neither when it has closed the connection: because the
// client took too long or left, because it was a CA that has seen what it
// wanted, or because ctx ended.
func (h *Handler) Open(ctx context.Context, conn net.Conn) (stream *Stream, http net.Conn) {
	started := time.Now()
	_ = conn.SetDeadline(started.Add(h.options.FirstTimeout)) // one that takes none fails at the first read
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	stream, http, err := h.identify(conn)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = conn.Close()
		h.recordUnidentified(ctx, conn, started, err)
		return nil, nil
	}
	_ = conn.SetDeadline(time.Time{})
	if stream != nil {
		stream.handler, stream.started = h, started
	}
	return stream, http
}

func (h *Handler) identify(conn net.Conn) (*Stream, net.Conn, error) {
	first := make([]byte, firstRead)
	n, err := conn.Read(first)
	if n == 0 && err != nil {
		return nil, nil, err
	}
	replayed := relay.Replay(conn, first[:n])
	if first[0] == 0 { // neither TLS nor HTTP begins so
		stream, err := h.identifyPostgres(replayed)
		return stream, nil, err
	}
	said, taken, err := readHello(replayed)
	if err != nil {
		return nil, nil, err
	}
	replayed = relay.Replay(replayed, taken)
	if said == nil {
		return nil, replayed, nil // its answer is that of HTTP
	}
	if h.options.GetChallenge != nil && said.isChallenge() {
		return nil, nil, h.answerChallenge(replayed)
	}
	host, route := h.find(said)
	if route == nil || route.Protocol != pods.ProtocolTCP && route.Protocol != pods.ProtocolPostgres {
		return nil, replayed, nil
	}
	return &Stream{conn: replayed, hello: said, protocol: route.Protocol, host: host, route: route}, nil, nil
}

// find returns the host that a client wants and its route, nil when there is
// none.
func (h *Handler) find(said *hello) (host string, route *routes.Route) {
	host, err := routes.CanonicalHost(said.serverName)
	if err != nil {
		return "", nil
	}
	if table := h.options.Routes(); table != nil {
		route, _ = table.Lookup(host)
	}
	return host, route
}

// names reports whether the client offers to speak a protocol, by ALPN.
func (said *hello) names(protocol string) bool { return slices.Contains(said.protocols, protocol) }
