// Package acme gets certificates for the hosts of pods from a certificate
// authority that speaks ACME (RFC 8555): when a host is first visited, and
// again before its certificate expires. A host whose certificate cannot be had
// is served with another one.
package acme

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"github.com/pods-service/pods/gateway/certs"
	"github.com/pods-service/pods/shared/routes"
)

const (
	// patience is how long a handshake waits for an order. It is below the time
	// that a client has for its handshake; the order itself goes on.
	patience = 8 * time.Second
	// orderTimeout bounds an order with all that the CA has to look at.
	orderTimeout = 2 * time.Minute
	// maxCertificates bounds the memory: some 10 KB each. Others are read from
	// the storage again.
	maxCertificates = 10000
	// maxBurst is how many orders may follow at once upon each other.
	maxBurst = 20
)

// GetCertificate is what tls.Config asks at each handshake.
type GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error)

// Options configures Certificates. Settings.Options returns the first group;
// of the second all are required but Files, Registerer and Now.
type Options struct {
	Directory     string         // an URL
	Email         string         // may be empty
	Roots         *x509.CertPool // by which the CA is known; nil means those of the system
	Storage       string         // a folder, which several processes may share
	TLSALPN, HTTP bool           // the challenges that may be used
	OrdersPerHour int

	// Files is a certificate that is used for all hosts which it covers.
	Files *certs.Pair
	// Fallback answers for hosts that have no route, and for those whose
	// certificate cannot be had.
	Fallback GetCertificate
	// Routed reports whether a host, in the form of routes.CanonicalHost, has a
	// route. For others nothing is ever ordered.
	Routed func(host string) bool
	// Plain and Secure are where challenges arrive: the listeners that Handler
	// and GetChallenge answer on.
	Plain, Secure net.Addr
	Logger        *slog.Logger
	Registerer    prometheus.Registerer // nil keeps the metrics to Certificates
	// Now is the clock of pauses and limits; nil means time.Now.
	Now func() time.Time

	// renewalWindow is the part of a certificate's life in which it is renewed;
	// 0 means what the CA suggests, else the last third.
	renewalWindow float64
	// patience is how long a handshake waits for an order; 0 means 8 s.
	patience time.Duration
}

// Certificates answers TLS handshakes with certificates by ACME. It is safe for
// concurrent use. Make one with New.
type Certificates struct {
	options Options
	metrics *metrics
	pauses  *pauses
	limiter *rate.Limiter
	asking  singleflight.Group

	cache   *certmagic.Cache
	config  *certmagic.Config
	resting *certmagic.Config // only looks at what there is
	issuer  *certmagic.ACMEIssuer

	// ctx ends with Close.
	ctx    context.Context
	cancel context.CancelFunc
	orders sync.WaitGroup
	mu     sync.Mutex
	closed bool
}

// New returns Certificates that nothing has been ordered for yet.
func New(options Options) *Certificates {
	if options.Now == nil {
		options.Now = time.Now
	}
	options.patience = cmp.Or(options.patience, patience)
	c := &Certificates{
		options: options, metrics: newMetrics(options.Registerer), pauses: newPauses(options.Now),
		limiter: rate.NewLimiter(rate.Every(time.Hour/time.Duration(options.OrdersPerHour)), min(maxBurst, options.OrdersPerHour)),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	logger := newLogger(options.Logger)
	c.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return c.config, nil },
		Capacity:         maxCertificates, Logger: logger,
	})
	template := certmagic.Config{
		Storage: &certmagic.FileStorage{Path: options.Storage}, Logger: logger,
		RenewalWindowRatio: options.renewalWindow, DisableARI: options.renewalWindow != 0,
	}
	c.resting = certmagic.New(c.cache, template)
	template.OnDemand = &certmagic.OnDemandConfig{DecisionFunc: c.mayHave}
	c.config = certmagic.New(c.cache, template)
	host, httpPort := split(options.Plain)
	_, tlsPort := split(options.Secure)
	c.issuer = certmagic.NewACMEIssuer(c.config, certmagic.ACMEIssuer{
		CA: options.Directory, Email: options.Email, Agreed: true, TrustedRoots: options.Roots, Logger: logger,
		DisableHTTPChallenge: !options.HTTP, DisableTLSALPNChallenge: !options.TLSALPN,
		// Ports that are taken: certmagic listens nowhere itself then.
		ListenHost: host, AltHTTPPort: httpPort, AltTLSALPNPort: tlsPort,
	})
	guarded := &issuer{ACMEIssuer: c.issuer, certificates: c}
	c.config.Issuers, c.resting.Issuers = []certmagic.Issuer{guarded}, []certmagic.Issuer{guarded}
	return c
}

// split returns the host, empty when it is any, and the port of a listener.
func split(address net.Addr) (host string, port int) {
	host, text, _ := net.SplitHostPort(address.String())
	port, _ = strconv.Atoi(text)
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = ""
	}
	return host, port
}

// Close ends orders that are under way and waits for their end. Handshakes are
// answered from what there is afterwards.
func (c *Certificates) Close() {
	c.mu.Lock()
	closed := c.closed
	c.closed = true
	c.mu.Unlock()
	if closed {
		return
	}
	c.cancel()
	c.orders.Wait()
	c.cache.Stop()
}

// begin reports whether an order may begin; c.orders.Done ends it.
func (c *Certificates) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.orders.Add(1)
	}
	return !c.closed
}

// GetCertificate returns a certificate for the server name of a handshake, as
// tls.Config.GetCertificate wants it: that of the files if it covers the host,
// else one by ACME if the host has a route. If that is not to be had within
// 8 s, it returns what the fallback does.
func (c *Certificates) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	host, err := routes.CanonicalHost(hello.ServerName)
	if err != nil {
		return c.options.Fallback(hello)
	}
	if c.options.Files != nil && c.options.Files.Covers(host) {
		return c.options.Files.GetCertificate(hello)
	}
	if !c.options.Routed(host) {
		return c.options.Fallback(hello)
	}
	managed := c.managed(hello, host)
	if managed != nil && time.Now().Before(managed.Leaf.NotAfter) {
		return managed, nil
	}
	c.metrics.fallbacks.Inc()
	if fallback, err := c.options.Fallback(hello); fallback != nil || err != nil || managed == nil {
		return fallback, err
	}
	return managed, nil // expired, and still better than none
}

// managed returns the certificate by ACME, nil when there is none yet.
func (c *Certificates) managed(hello *tls.ClientHelloInfo, host string) *tls.Certificate {
	config := c.config
	if c.pauses.paused(host) {
		config = c.resting
	}
	asked := *hello
	asked.ServerName = host
	// Apart from the handshake: a client that leaves ends no order, by which
	// it could spend what the CA allows.
	answer := c.asking.DoChan(host, func() (any, error) { return c.ask(config, &asked) })
	timeout := time.NewTimer(c.options.patience)
	defer timeout.Stop()
	select {
	case result := <-answer:
		if certificate, ok := result.Val.(*tls.Certificate); ok && certificate != nil {
			return certificate
		}
	case <-timeout.C:
	case <-hello.Context().Done():
	}
	return nil
}

func (c *Certificates) ask(config *certmagic.Config, hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if !c.begin() {
		return nil, errors.New("the gateway ends")
	}
	defer c.orders.Done()
	ctx, cancel := context.WithTimeout(c.ctx, orderTimeout)
	defer cancel()
	certificate, err := config.GetCertificateWithContext(ctx, hello)
	if err != nil && config == c.config && !c.pauses.paused(hello.ServerName) {
		c.failed(hello.ServerName, err) // before the CA was asked: of the storage, as a rule
	}
	if certificate == nil || certificate.Leaf == nil {
		return nil, err
	}
	return certificate, nil // it may have expired
}

// GetChallenge returns the certificate by which the CA sees, at the port for
// TLS, that a host is ours (TLS-ALPN-01, RFC 8737). It is an error when no such
// challenge is under way.
func (c *Certificates) GetChallenge(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.config.GetCertificate(hello)
}

// Handler answers HTTP-01 challenges that are under way and gives all other
// requests to next. Over TLS no such challenge comes.
func (c *Certificates) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil && c.issuer.HandleHTTPChallenge(w, r) {
			return
		}
		next.ServeHTTP(w, r)
	})
}
