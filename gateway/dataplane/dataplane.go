// Package dataplane puts the gateway together: the routes, kept current, and
// the servers that pass visitors' requests on by them.
package dataplane

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/pods-service/pods/gateway/acme"
	"github.com/pods-service/pods/gateway/proxy"
	"github.com/pods-service/pods/gateway/server"
	"github.com/pods-service/pods/gateway/streams"
	"github.com/pods-service/pods/gateway/usage"
	"github.com/pods-service/pods/shared/cache"
	"github.com/pods-service/pods/shared/login"
	"github.com/pods-service/pods/shared/routes"
	"github.com/pods-service/pods/shared/routes/feed"
)

// maxVisitors bounds the connections that each listener holds.
const maxVisitors = 10000

// Visitors says whom the gateway takes in. It is what an operator can choose.
type Visitors struct {
	ProxyProtocolFrom    []netip.Prefix `env:"PODS_PROXY_PROTOCOL_FROM" help:"CIDR ranges of the load balancers in front, which must send the PROXY protocol"`
	ConnectionsPerClient int            `env:"PODS_CONNECTIONS_PER_CLIENT" envDefault:"1000" help:"open connections from one address to the gateway; 0: any number"`
}

// Options say what a Gateway is made of. All are required but ACME and
// Visitors.
type Options struct {
	Source  feed.Source
	Changes *cache.Cache // tells which pods have changed
	Plain   net.Listener
	Secure  net.Listener // for TLS
	// GetCertificate is asked at each TLS handshake.
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// ACME orders certificates, with GetCertificate as its fallback; nil means
	// that GetCertificate alone is asked. What is about routes, listeners, log
	// and metrics is filled in by New.
	ACME *acme.Options
	// Login decides who passes entries that ask for a login.
	Login *login.Login
	// SecurePort is the port at which visitors reach Secure.
	SecurePort string
	Visitors   Visitors
	// DrainTimeout is how long visitors may go on after Run is told to end.
	DrainTimeout time.Duration
	Version      string
	Logger       *slog.Logger
	Registerer   prometheus.Registerer
}

// Gateway is visitors' way to pods. Make one with New.
type Gateway struct {
	options Options
	feed    *feed.Feed
	proxy   *proxy.Handler
	acme    *acme.Certificates // nil when there is no ACME
	server  *server.Server
}

// New returns a Gateway that does not serve yet.
func New(options Options) *Gateway {
	g := &Gateway{options: options}
	g.feed = feed.New(feed.Options{Source: options.Source, Logger: options.Logger, Registerer: options.Registerer})
	figures := usage.New(g.feed.Table, options.Registerer)
	g.proxy = proxy.New(proxy.Options{
		Routes: g.feed.Table, Version: options.Version, Logger: options.Logger, AccessLevel: slog.LevelDebug,
		Registerer: options.Registerer, Login: options.Login, SecurePort: options.SecurePort, Usage: figures,
	})
	handler, getCertificate := http.Handler(g.proxy), options.GetCertificate
	var getChallenge acme.GetCertificate
	if options.ACME != nil {
		g.acme = acme.New(g.acmeOptions())
		handler, getCertificate = g.acme.Handler(g.proxy), g.acme.GetCertificate
		if options.ACME.TLSALPN {
			getChallenge = g.acme.GetChallenge
		}
	}
	others := streams.New(streams.Options{
		Routes: g.feed.Table, GetCertificate: getCertificate, GetChallenge: getChallenge, Logger: options.Logger,
		AccessLevel: slog.LevelDebug, Registerer: options.Registerer, Usage: figures,
	})
	g.server = server.New(server.Options{
		Handler: handler, GetCertificate: getCertificate, Logger: options.Logger, Registerer: options.Registerer,
		Streams: others, MaxConnections: maxVisitors, DrainTimeout: options.DrainTimeout,
		MaxPerClient: options.Visitors.ConnectionsPerClient, ProxyProtocolFrom: options.Visitors.ProxyProtocolFrom,
	})
	return g
}

// acmeOptions completes what the settings say.
func (g *Gateway) acmeOptions() acme.Options {
	options := *g.options.ACME
	options.Fallback, options.Logger, options.Registerer = g.options.GetCertificate, g.options.Logger, g.options.Registerer
	options.Plain, options.Secure = g.options.Plain.Addr(), g.options.Secure.Addr()
	options.Routed = func(host string) bool {
		table := g.feed.Table()
		if table == nil {
			return false
		}
		_, found := table.Lookup(host)
		return found
	}
	return options
}

// Ready returns an error until it is known which pods there are.
func (g *Gateway) Ready() error {
	if g.feed.Table() == nil {
		return errors.New("the routes have not been read yet")
	}
	return nil
}

// Wait returns the current routes, for others that read them, and waits for
// the first ones.
//
// Errors: KindUnavailable when ctx ends before there are any.
func (g *Gateway) Wait(ctx context.Context) (*routes.Table, error) { return g.feed.Wait(ctx) }

// Run serves until ctx ends or a listener fails, and returns when visitors have
// gone or the time to drain is over. It must be called once.
//
// The end of ctx is no error.
func (g *Gateway) Run(ctx context.Context) error {
	// Visitors who are still there need routes until they have gone.
	reading, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	group := errgroup.Group{}
	group.Go(func() error { return g.feed.Run(reading) })
	group.Go(func() error { g.feed.Listen(reading, g.options.Changes); return nil })
	group.Go(func() error {
		defer stop()
		defer g.proxy.Close()
		if g.acme != nil {
			defer g.acme.Close()
		}
		return g.server.Run(ctx, g.options.Plain, g.options.Secure)
	})
	return group.Wait()
}
