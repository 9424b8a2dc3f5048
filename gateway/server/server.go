// Package server listens for visitors, in plain HTTP and over TLS, bounds what
// a connection may cost, and ends connections in good order.
package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pods-service/pods/gateway/streams"
)

const (
	maxHeaderBytes = 64 << 10
	// headerTimeout is how long a client may take for the header of a request,
	// and for the TLS handshake before.
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	drainTimeout  = 10 * time.Second
	// abortTimeout is how long a handler may take to notice that it is over.
	abortTimeout = 2 * time.Second

	// maxStreams is how many requests one HTTP/2 connection may have open.
	maxStreams = 250
	// pingAfter is how long an HTTP/2 connection may be silent before it is
	// asked for a sign of life; it has pingTimeout to answer.
	pingAfter   = time.Minute
	pingTimeout = 15 * time.Second
)

// Options configures a Server. Handler and Logger are required; what is zero
// has its default.
type Options struct {
	Handler http.Handler
	// GetCertificate is asked at each TLS handshake. It is required to listen
	// for TLS.
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	Logger         *slog.Logger
	// Registerer takes the metrics; nil keeps them to the Server.
	Registerer prometheus.Registerer

	// Streams takes what comes over TLS and is not for HTTP; nil means that all
	// is.
	Streams *streams.Handler

	// MaxConnections bounds the open connections of each listener, upgraded
	// ones among them; those that come later wait. 0 means no bound.
	MaxConnections int
	// MaxPerClient bounds the open connections from one address, of all
	// listeners together; more are closed at once. For IPv6 a client is a
	// network of 64 bits. 0 means no bound.
	MaxPerClient int
	// ProxyProtocolFrom are the load balancers in front, from which each
	// connection must begin with a header of the PROXY protocol, version 1 or 2.
	// From others none is accepted.
	ProxyProtocolFrom []netip.Prefix
	// DrainTimeout is how long requests and upgraded connections may go on
	// after Run is told to end; 10 s by default.
	DrainTimeout time.Duration
}

// Server serves visitors. It is safe for concurrent use.
type Server struct {
	options Options
	metrics *metrics
	active  *active
	clients *clients
	trusted trusted
}

// New returns a Server that does not listen yet.
func New(options Options) *Server {
	options.DrainTimeout = cmp.Or(options.DrainTimeout, drainTimeout)
	return &Server{
		options: options, metrics: newMetrics(options.Registerer), active: newActive(),
		clients: newClients(options.MaxPerClient), trusted: options.ProxyProtocolFrom,
	}
}

// Run serves on plain and, over TLS, on secure until ctx ends or a listener
// fails; either may be nil. Then it takes no more connections, waits for the
// requests, streams and upgraded connections that are open, cuts those that are left
// after DrainTimeout, and returns. It closes the listeners. It must be called
// once.
//
// The end of ctx is no error.
func (s *Server) Run(ctx context.Context, plain, secure net.Listener) error {
	// Requests live longer than ctx: they end by themselves or by cut.
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	failed := make(chan error, 2)
	var servers []*http.Server
	serve := func(name string, listener net.Listener, streams *streams.Handler, serve func(*http.Server, net.Listener) error) {
		if listener == nil {
			return
		}
		front := s.newFront(name, listener, streams)
		go front.run(requests)
		server := s.newHTTPServer(requests, name)
		servers = append(servers, server)
		go func() {
			if err := serve(server, front); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serve %s on %s: %w", name, listener.Addr(), err)
			}
		}()
	}
	serve("plain", plain, nil, (*http.Server).Serve)
	serve("tls", secure, s.options.Streams, func(server *http.Server, listener net.Listener) error {
		return server.ServeTLS(listener, "", "")
	})
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.drain(servers, cut)
	return err
}

func (s *Server) newHTTPServer(requests context.Context, name string) *http.Server {
	return &http.Server{
		Handler: s.active.count(s.options.Handler),
		TLSConfig: &tls.Config{
			MinVersion:     tls.VersionTLS12,
			GetCertificate: s.options.GetCertificate,
		},
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams,
			SendPingTimeout:      pingAfter,
			PingTimeout:          pingTimeout,
		},
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnState:         s.metrics.connState(name),
		BaseContext:       func(net.Listener) context.Context { return requests },
		ErrorLog:          slog.NewLogLogger(s.options.Logger.Handler(), slog.LevelDebug),
		// "OPTIONS *" is for the handler to refuse like everything else.
		DisableGeneralOptionsHandler: true,
	}
}
