// Package proxy passes a visitor's HTTP requests on to the pod that their host
// names, and answers with a status page when there is none that serves. Bodies
// are streamed both ways, WebSockets pass through, and what the platform keeps
// for itself - its token, its word on where a request came from - is removed
// from both sides.
package proxy

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pods-service/pods/gateway/dial"
	"github.com/pods-service/pods/gateway/relay"
	"github.com/pods-service/pods/gateway/usage"
	"github.com/pods-service/pods/shared/login"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/routes"
	"github.com/pods-service/pods/shared/routes/pages"
)

// Options configures a Handler. Routes and Logger are required; a duration of
// zero means its default.
type Options struct {
	// Routes returns the current table, nil as long as there is none.
	Routes func() *routes.Table
	// Login decides who passes entries that ask for a login; nil lets nobody.
	Login *login.Login
	// SecurePort is the port at which visitors reach the gateway over TLS; 443
	// by default.
	SecurePort string
	// Usage counts for each pod; nil means that nobody asks.
	Usage *usage.Pods
	// Version is that of the service, shown in JSON status pages.
	Version string
	Logger  *slog.Logger
	// AccessLevel is the level of the one line per request; the zero value is
	// slog.LevelInfo.
	AccessLevel slog.Level
	// Registerer takes the metrics; nil keeps them to the Handler.
	Registerer prometheus.Registerer

	// DialTimeout bounds connecting to a pod; 5 s by default.
	DialTimeout time.Duration
	// StartPatience is how long a request waits for a pod that runs but does
	// not take connections yet; 3 s by default.
	StartPatience time.Duration
	// ResponseTimeout is how long a pod may take from the end of a request to
	// the header of its answer; 10 min by default. Bodies may take any time.
	ResponseTimeout time.Duration
}

// Handler is the gateway's http.Handler. It is safe for concurrent use.
type Handler struct {
	routes      func() *routes.Table
	login       *login.Login
	securePort  string
	version     string
	usage       *usage.Pods
	cors        *corsPolicies
	pages       *pages.Writer
	logger      *slog.Logger
	accessLevel slog.Level
	metrics     *metrics
	dialer      *dial.Patient
	transport   *http.Transport
	proxy       *httputil.ReverseProxy
}

// headerFlush bounds how long the start of an answer of known length waits for
// more of it. Answers of unknown length, event streams among them, are never
// held back.
const headerFlush = 20 * time.Millisecond

// New returns a Handler. Close releases its connections.
func New(options Options) *Handler {
	options.DialTimeout = cmp.Or(options.DialTimeout, 5*time.Second)
	options.StartPatience = cmp.Or(options.StartPatience, 3*time.Second)
	options.ResponseTimeout = cmp.Or(options.ResponseTimeout, 10*time.Minute)
	h := &Handler{
		routes:      options.Routes,
		login:       options.Login,
		securePort:  cmp.Or(options.SecurePort, "443"),
		version:     options.Version,
		usage:       options.Usage,
		cors:        newCORSPolicies(),
		pages:       pages.NewWriter(options.Version),
		logger:      options.Logger,
		accessLevel: options.AccessLevel,
		metrics:     newMetrics(options.Registerer),
		dialer:      dial.NewPatient(options.DialTimeout, options.StartPatience),
	}
	if h.usage == nil {
		h.usage = usage.New(options.Routes, nil)
	}
	h.transport = newTransport(h.dialer, options.ResponseTimeout)
	h.proxy = &httputil.ReverseProxy{
		Rewrite:        h.rewrite,
		ModifyResponse: modifyResponse,
		ErrorHandler:   h.fail,
		Transport:      h.transport,
		FlushInterval:  headerFlush,
		BufferPool:     &relay.Buffers{},
		ErrorLog:       slog.NewLogLogger(options.Logger.Handler(), slog.LevelDebug),
	}
	return h
}

// Close closes the connections to pods that are not in use.
func (h *Handler) Close() { h.transport.CloseIdleConnections() }

// ServeHTTP serves one request. The pod is the one whose host the request
// names; nothing in it can lead to any other address.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{ResponseWriter: w, started: time.Now(), upgrades: h.metrics.upgraded}
	h.metrics.active.Inc()
	defer h.finish(x, r)
	if !r.ProtoAtLeast(1, 1) {
		// What comes behind could be a body in chunks, which HTTP/1.0 does not
		// have and the server has not read.
		w.Header().Set("Connection", "close")
	}
	page, serves := h.resolve(x, r)
	if x.answersOrigin(r) {
		return
	}
	if !serves {
		h.pages.Write(x, r, page, x.host)
		return
	}
	if x.route.Networking.TapisAuth && !h.admit(x, r) {
		return
	}
	in := r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	if r.ContentLength != 0 {
		x.body = &visitorBody{ReadCloser: r.Body, request: r, received: &x.usage.Received}
		in.Body = x.body
	}
	x.openBothWays(r)
	h.proxy.ServeHTTP(x, in)
	x.settle()
}

// resolve finds the route of r and keeps it in x. If there is none that serves
// it returns the page that says so.
func (h *Handler) resolve(x *exchange, r *http.Request) (page pages.Page, serves bool) {
	if page, ok := checkForm(r); !ok {
		return page, false
	}
	host, err := routes.CanonicalHost(r.Host)
	if err != nil {
		return pages.BadRequest, false
	}
	x.host = host
	if !isMeantFor(r, host) {
		return pages.Misdirected, false
	}
	table := h.routes()
	if table == nil {
		return pages.Loading, false
	}
	route, found := table.Lookup(host)
	if !found {
		return pages.NotFound, false
	}
	x.route, x.usage = route, h.usage.Of(route)
	if !isAllowed(route, r) {
		return pages.Restricted, false
	}
	if route.Protocol != pods.ProtocolHTTP {
		return pages.ForProtocol(route.Protocol, net.JoinHostPort(host, h.securePort)), false
	}
	x.cors = h.cors.of(route)
	if route.Networking.TapisAuth && h.login == nil {
		return pages.Restricted, false
	}
	if route.State != routes.StateServing {
		return pages.ForState(route.State), false
	}
	return pages.Page{}, true
}
