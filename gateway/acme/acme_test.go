package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/pods-service/pods/gateway/certs"
	"github.com/pods-service/pods/gateway/server"
	"github.com/pods-service/pods/gateway/streams"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest/logtest"
	"github.com/pods-service/pods/shared/routes"
)

// longest bounds every wait for something that must happen.
const longest = time.Minute

// site is a gateway on two real ports and the CA that it asks. All hosts of
// tests are different: what certmagic has under way it keeps for the process.
type site struct {
	*authority
	plain, secure net.Listener
	table         *routes.Table
	log           *logtest.Buffer
	fallback      *certs.Authority
	now           time.Time
	mu            sync.Mutex // of now

	certificates *Certificates
}

// newSite returns a site that does not serve yet, with a pod "id" of each
// protocol that is named.
func newSite(t *testing.T, protocols map[string]string) *site {
	t.Helper()
	s := &site{plain: listen(t), secure: listen(t), table: &routes.Table{}, log: &logtest.Buffer{}, now: time.Now()}
	s.authority = newAuthority(t, s.plain.Addr(), s.secure.Addr())
	for id, protocol := range protocols {
		networking := pods.NewNetworking()
		networking.Protocol, networking.Port = protocol, 80
		pod := pods.Pod{TenantID: "tenantone", ID: id, Status: pods.StatusStopped, CreationTS: time.Unix(0, 0)}
		pod.Networking = pods.WithURLs(map[string]pods.Networking{pods.DefaultNetworkKey: networking}, id, "pods.localhost")
		s.table = s.table.With(pod)
	}
	var err error
	if s.fallback, err = certs.Open(certs.Options{Domains: []string{"pods.localhost"}}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *site) pass(time time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(time)
}

// open makes the certificates anew, as a start of the gateway does.
func (s *site) open(t *testing.T, change ...func(*Options)) *Certificates {
	t.Helper()
	options, err := s.settings.Options()
	if err != nil {
		t.Fatal(err)
	}
	options.Fallback, options.Plain, options.Secure, options.Now = s.fallback.GetCertificate, s.plain.Addr(), s.secure.Addr(), s.clock
	options.Logger = slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	options.Routed = func(host string) bool { _, found := s.table.Lookup(host); return found }
	for _, c := range change {
		c(options)
	}
	certificates := New(*options)
	t.Cleanup(certificates.Close)
	return certificates
}

// serve starts the gateway.
func (s *site) serve(t *testing.T, change ...func(*Options)) {
	t.Helper()
	s.certificates = s.open(t, change...)
	logger := slog.New(slog.DiscardHandler)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "the pod: "+r.URL.Path) })
	gateway := server.New(server.Options{
		Handler: s.certificates.Handler(handler), GetCertificate: s.certificates.GetCertificate, Logger: logger,
		DrainTimeout: time.Millisecond,
		Streams: streams.New(streams.Options{
			Routes: func() *routes.Table { return s.table }, Logger: logger,
			GetCertificate: s.certificates.GetCertificate, GetChallenge: s.certificates.GetChallenge,
		}),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- gateway.Run(ctx, s.plain, s.secure) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// visit shakes hands for a host and returns the certificate, and whether it is
// one of the CA's.
func (s *site) visit(t *testing.T, host string) (leaf *x509.Certificate, issued bool) {
	t.Helper()
	dialer := &tls.Dialer{
		NetDialer: &net.Dialer{Timeout: longest},
		Config:    &tls.Config{ServerName: host, InsecureSkipVerify: true},
	}
	conn, err := dialer.DialContext(t.Context(), "tcp", s.secure.Addr().String())
	if err != nil {
		t.Fatalf("handshake for %s: %v", host, err)
	}
	defer conn.Close()
	chain := conn.(*tls.Conn).ConnectionState().PeerCertificates
	others := x509.NewCertPool()
	for _, other := range chain[1:] {
		others.AddCert(other)
	}
	_, err = chain[0].Verify(x509.VerifyOptions{Roots: s.roots, Intermediates: others, DNSName: host})
	return chain[0], err == nil
}

// wantIssued visits a host until its certificate is one of the CA's: an order
// may take longer than a handshake waits for it.
func (s *site) wantIssued(t *testing.T, host string) *x509.Certificate {
	t.Helper()
	for deadline := time.Now().Add(longest); time.Now().Before(deadline); {
		if leaf, issued := s.visit(t, host); issued {
			return leaf
		}
	}
	t.Fatalf("no certificate for %s:\n%s", host, s.log)
	return nil
}

func (s *site) wantFallback(t *testing.T, host string) {
	t.Helper()
	if leaf, issued := s.visit(t, host); issued || leaf.VerifyHostname(host) != nil {
		t.Errorf("the certificate of %s is not that of the fallback: %v", host, leaf.Issuer)
	}
}

func (s *site) wantOrders(t *testing.T, want int64) {
	t.Helper()
	if got := s.orders.Load(); got != want {
		t.Errorf("%d orders at the CA, want %d", got, want)
	}
}

// TestIssue: the first handshake of a pod's host has a certificate of the CA,
// by each challenge, whatever the protocol of the pod.
func TestIssue(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		host, protocol string
		challenges     []string
	}{
		"TLSALPN":     {host: "alpn", protocol: pods.ProtocolHTTP, challenges: []string{"tls-alpn-01"}},
		"TLSALPNTCP":  {host: "alpn-tcp", protocol: pods.ProtocolTCP, challenges: []string{"tls-alpn-01"}},
		"Postgres":    {host: "alpn-db", protocol: pods.ProtocolPostgres, challenges: []string{"tls-alpn-01"}},
		"HTTP":        {host: "plain", protocol: pods.ProtocolHTTP, challenges: []string{"http-01"}},
		"HTTPTCP":     {host: "plain-tcp", protocol: pods.ProtocolTCP, challenges: []string{"http-01"}},
		"EitherWorks": {host: "either", protocol: pods.ProtocolHTTP, challenges: []string{"tls-alpn-01", "http-01"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := newSite(t, map[string]string{tc.host: tc.protocol})
			s.settings.Challenges = tc.challenges
			s.serve(t)
			host := tc.host + ".pods.localhost"
			first := s.wantIssued(t, host)
			requests := s.requests.Load()
			if again := s.wantIssued(t, host); !again.Equal(first) {
				t.Error("the second handshake has another certificate")
			}
			if s.requests.Load() != requests {
				t.Error("the second handshake asks the CA")
			}
			s.wantOrders(t, 1)
			if text := s.log.String(); strings.Contains(text, "PRIVATE KEY") || !strings.Contains(text, `msg="certificate issued" host=`+host) {
				t.Errorf("log:\n%s", text)
			}
		})
	}
}

// TestOtherChallenge: a CA that does not get through to the port for TLS is
// answered on the other one.
func TestOtherChallenge(t *testing.T) {
	t.Parallel()

	s := newSite(t, map[string]string{"other": pods.ProtocolHTTP})
	elsewhere := listen(t) // takes connections and says nothing
	go func() {
		for {
			conn, err := elsewhere.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = elsewhere.Close() })
	storage := s.settings.Storage
	s.authority = newAuthority(t, s.plain.Addr(), elsewhere.Addr())
	s.settings.Storage = storage
	s.serve(t)
	s.wantIssued(t, "other.pods.localhost")
}

// TestRestart: a gateway that starts again has its certificates without the CA.
func TestRestart(t *testing.T) {
	t.Parallel()

	s := newSite(t, map[string]string{"restart": pods.ProtocolHTTP})
	s.serve(t)
	first := s.wantIssued(t, "restart.pods.localhost")
	s.down.Store(true)
	again := s.open(t)
	// Over the listeners of the first: what answers handshakes is all that
	// starts anew.
	listener := tls.NewListener(listen(t), &tls.Config{GetCertificate: again.GetCertificate, MinVersion: tls.VersionTLS12})
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.(*tls.Conn).Handshake() // the client says whether it went well
			_ = conn.Close()
		}
	}()
	s.secure = listener
	if leaf := s.wantIssued(t, "restart.pods.localhost"); !leaf.Equal(first) {
		t.Error("the certificate is another one after a restart")
	}
	s.wantOrders(t, 1)
}

// TestUnknownHost: the CA hears nothing of hosts without a route.
func TestUnknownHost(t *testing.T) {
	t.Parallel()

	s := newSite(t, nil)
	s.serve(t)
	s.wantFallback(t, "nobody.pods.localhost")
	if got := s.requests.Load(); got != 0 {
		t.Errorf("%d requests at the CA, want none", got)
	}
	if err := s.certificates.config.ObtainCertSync(t.Context(), "nobody.pods.localhost"); err == nil {
		t.Error("an order for a host without a route passes")
	}
	s.wantOrders(t, 0)
}

// TestRefused: while the CA refuses, the host is served with another
// certificate, it is tried again after pauses only, and said once.
func TestRefused(t *testing.T) {
	t.Parallel()

	s := newSite(t, map[string]string{"refused": pods.ProtocolHTTP})
	s.down.Store(true)
	s.serve(t)
	const host = "refused.pods.localhost"
	s.wantFallback(t, host)
	requests := s.requests.Load()
	if requests == 0 {
		t.Error("the CA is not asked")
	}
	s.wantFallback(t, host)
	s.pass(firstPause - time.Second)
	s.wantFallback(t, host)
	if s.requests.Load() != requests {
		t.Error("the CA is asked again within the pause")
	}
	s.pass(2 * time.Second)
	s.wantFallback(t, host)
	if s.requests.Load() == requests {
		t.Error("the CA is not asked again after the pause")
	}
	s.down.Store(false)
	s.pass(longestPause)
	s.wantIssued(t, host)
	if got := strings.Count(s.log.String(), "level=WARN"); got != 1 {
		t.Errorf("%d warnings, want 1:\n%s", got, s.log)
	}
	metrics := s.certificates.metrics
	if got := testutil.ToFloat64(metrics.orders.WithLabelValues(resultFailed)); got != 2 {
		t.Errorf("%v failed orders counted, want 2", got)
	}
	if got := testutil.ToFloat64(metrics.fallbacks); got < 4 {
		t.Errorf("%v fallbacks counted, want 4 or more", got)
	}
}

// TestLimit: beyond the limit nothing is ordered until time has passed.
func TestLimit(t *testing.T) {
	t.Parallel()

	s := newSite(t, map[string]string{"limit-a": pods.ProtocolHTTP, "limit-b": pods.ProtocolHTTP})
	s.settings.OrdersPerHour = 1
	s.serve(t)
	s.wantIssued(t, "limit-a.pods.localhost")
	s.wantFallback(t, "limit-b.pods.localhost")
	s.wantOrders(t, 1)
	s.pass(time.Hour)
	s.wantIssued(t, "limit-b.pods.localhost")
}

// TestFiles: a host that the files cover needs no CA, another one does.
func TestFiles(t *testing.T) {
	t.Parallel()

	s := newSite(t, map[string]string{"files": pods.ProtocolHTTP})
	const host = "files.pods.localhost"
	pair := writePair(t, s.fallback, host)
	s.serve(t, func(o *Options) {
		o.Files = pair
		o.Fallback = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			t.Error("the fallback is asked")
			return nil, nil
		} //nolint:nilnil // refuses
	})
	s.wantFallback(t, host) // by the same authority
	s.wantOrders(t, 0)
	if pair.Covers("other.pods.localhost") {
		t.Error("the files cover a host that they do not name")
	}
}

// writePair returns the certificate of a host as files.
func writePair(t *testing.T, authority *certs.Authority, host string) *certs.Pair {
	t.Helper()
	certificate, err := authority.GetCertificate(&tls.ClientHelloInfo{ServerName: host})
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pair, err := certs.OpenPair(write("tls.crt", "CERTIFICATE", certificate.Certificate[0]), write("tls.key", "PRIVATE KEY", key))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// TestRenew: a certificate that is due is renewed while visitors have the old
// one, which stays when the CA refuses.
func TestRenew(t *testing.T) {
	t.Parallel()

	s := newSite(t, map[string]string{"renew": pods.ProtocolHTTP})
	s.serve(t, func(o *Options) { o.renewalWindow = 1 }) // due from the beginning
	const host = "renew.pods.localhost"
	first := s.wantIssued(t, host)
	s.down.Store(true)
	for !strings.Contains(s.log.String(), "level=WARN") {
		if leaf := s.wantIssued(t, host); !leaf.Equal(first) {
			break // it was faster
		}
		runtime.Gosched()
	}
	s.down.Store(false)
	s.pass(longestPause)
	for deadline := time.Now().Add(longest); s.wantIssued(t, host).Equal(first); {
		if time.Now().After(deadline) {
			t.Fatalf("the certificate is not renewed:\n%s", s.log)
		}
	}
}

// TestHTTPChallengePath: the path of challenges is the pod's own while none is
// under way.
func TestHTTPChallengePath(t *testing.T) {
	t.Parallel()

	s := newSite(t, map[string]string{"path": pods.ProtocolHTTP})
	s.serve(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.plain.Addr().String()+"/.well-known/acme-challenge/x", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "path.pods.localhost"
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, _ := io.ReadAll(answer.Body); string(body) != "the pod: /.well-known/acme-challenge/x" {
		t.Errorf("answer %q, want that of the pod", body)
	}
}

// TestStrayChallenge: a handshake for a challenge that nobody has begun is
// refused, and no order comes of it.
func TestStrayChallenge(t *testing.T) {
	t.Parallel()

	s := newSite(t, map[string]string{"stray": pods.ProtocolTCP})
	s.serve(t)
	dialer := &tls.Dialer{Config: &tls.Config{
		ServerName: "stray.pods.localhost", NextProtos: []string{"acme-tls/1"}, InsecureSkipVerify: true,
	}}
	if conn, err := dialer.DialContext(t.Context(), "tcp", s.secure.Addr().String()); err == nil {
		_ = conn.Close()
		t.Error("a challenge that nobody has begun is answered")
	}
	if got := s.requests.Load(); got != 0 {
		t.Errorf("%d requests at the CA, want none", got)
	}
}
