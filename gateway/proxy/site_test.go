package proxy_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pods-service/pods/gateway/certs"
	"github.com/pods-service/pods/gateway/proxy"
	"github.com/pods-service/pods/gateway/server"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest/logtest"
	"github.com/pods-service/pods/shared/routes"
)

// patience bounds every wait for something that must happen.
const patience = 20 * time.Second

// site is a gateway on two real ports with a table that tests fill.
type site struct {
	t       testing.TB
	handler *proxy.Handler
	table   atomic.Pointer[routes.Table]
	plain   string // address
	secure  string // address
	trusted *x509.CertPool
	// authority is the certificate in trusted.
	authority []byte
	log       *logtest.Buffer
	registry  *prometheus.Registry
}

func newSite(t testing.TB, change ...func(*proxy.Options)) *site {
	t.Helper()
	s := &site{t: t, log: &logtest.Buffer{}, registry: prometheus.NewRegistry()}
	s.table.Store(&routes.Table{})
	options := proxy.Options{
		Routes: s.table.Load, Version: "1.2.3", Registerer: s.registry,
		Logger: slog.New(slog.NewTextHandler(s.log, nil)), StartPatience: 50 * time.Millisecond,
	}
	for _, c := range change {
		c(&options)
	}
	s.handler = proxy.New(options)
	t.Cleanup(s.handler.Close)
	authority, err := certs.Open(certs.Options{Dir: t.TempDir(), Domains: []string{"pods.localhost"}})
	if err != nil {
		t.Fatal(err)
	}
	s.trusted = x509.NewCertPool()
	s.authority = authority.PEM()
	s.trusted.AppendCertsFromPEM(s.authority)
	s.serve(authority)
	return s
}

func (s *site) serve(authority *certs.Authority) {
	plain, secure := listen(s.t), listen(s.t)
	s.plain, s.secure = plain.Addr().String(), secure.Addr().String()
	srv := server.New(server.Options{
		Handler: s.handler, GetCertificate: authority.GetCertificate, Registerer: s.registry,
		Logger: slog.New(slog.DiscardHandler), DrainTimeout: time.Millisecond,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx, plain, secure) }()
	s.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("Run: %v", err)
		}
	})
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// put adds a pod "id" with the given status at address to the table.
func (s *site) put(id string, status pods.Status, address net.Addr, change ...func(*pods.Networking)) {
	networking := pods.NewNetworking()
	pod := pods.Pod{TenantID: "tenantone", ID: id, Status: status, CreationTS: time.Unix(0, 0)}
	if tcp, ok := address.(*net.TCPAddr); ok {
		pod.Address, networking.Port = tcp.IP.String(), tcp.Port
	}
	for _, c := range change {
		c(&networking)
	}
	pod.Networking = pods.WithURLs(map[string]pods.Networking{pods.DefaultNetworkKey: networking}, id, "pods.localhost")
	s.table.Store(s.table.Load().With(pod))
}

// pod starts a program and adds an AVAILABLE pod for it. It returns the host.
func (s *site) pod(id string, program http.HandlerFunc, change ...func(*pods.Networking)) string {
	s.t.Helper()
	upstream := httptest.NewServer(program)
	s.t.Cleanup(upstream.Close)
	s.put(id, pods.StatusAvailable, upstream.Listener.Addr(), change...)
	return id + ".pods.localhost"
}

// way is one way in which a visitor can reach the gateway.
type way struct {
	scheme string
	proto  string // as the response names it
	client *http.Client
}

// ways returns HTTP/1.1 in plain, HTTP/1.1 over TLS and HTTP/2.
func (s *site) ways() map[string]way {
	return map[string]way{
		"http1":     {"http", "HTTP/1.1", s.client(s.plain, false)},
		"http1-tls": {"https", "HTTP/1.1", s.client(s.secure, false)},
		"http2":     {"https", "HTTP/2.0", s.client(s.secure, true)},
	}
}

// client returns a client that reaches address whatever the host in the URL.
func (s *site) client(address string, http2 bool) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetHTTP2(http2)
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
		TLSClientConfig: &tls.Config{RootCAs: s.trusted}, Protocols: protocols, DisableCompression: true,
		ExpectContinueTimeout: patience,
	}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 2 * patience}
}

// each runs check for every way as a parallel subtest.
func (s *site) each(t *testing.T, check func(t *testing.T, w way)) {
	t.Helper()
	for name, w := range s.ways() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, w)
		})
	}
}

func newRequest(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// do sends r and returns the response with its body read.
func (w way) do(t *testing.T, r *http.Request) (*http.Response, string) {
	t.Helper()
	response, err := w.client.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s %s: read answer: %v", r.Method, r.URL, err)
	}
	return response, string(body)
}

func (w way) get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	return w.do(t, newRequest(t, http.MethodGet, url, nil))
}

// raw sends text as it is over plain HTTP/1.1 and returns the answer.
func (s *site) raw(t *testing.T, text string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", s.plain)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("read answer: %v", err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("read answer: %v", err)
	}
	return response, string(body)
}

// receive waits for a value that must come.
func receive[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("not reached")
	}
}

// gauge returns the sum of a metric's samples.
func (s *site) gauge(name string) float64 {
	s.t.Helper()
	families, err := s.registry.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == name {
				sum += metric.GetGauge().GetValue() + metric.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// waitForLog waits until the access log has a line that contains text, and
// returns the log.
func (s *site) waitForLog(t *testing.T, text string) string {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !strings.Contains(s.log.String(), text) {
		if time.Now().After(deadline) {
			t.Fatalf("%q is not logged:\n%s", text, s.log.String())
		}
		runtime.Gosched()
	}
	return s.log.String()
}
