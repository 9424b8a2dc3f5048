package streams_test

import (
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
	"github.com/pods-service/pods/gateway/streams"
	"github.com/pods-service/pods/gateway/usage"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest/logtest"
	"github.com/pods-service/pods/shared/routes"
)

// patience bounds every wait for something that must happen.
const patience = 20 * time.Second

// site is a gateway on two real ports with a table that tests fill.
type site struct {
	t             testing.TB
	table         atomic.Pointer[routes.Table]
	plain, secure string // addresses
	trusted       *x509.CertPool
	ca            []byte
	log           *logtest.Buffer
	registry      *prometheus.Registry
	stop          context.CancelFunc
	done          chan error
}

// settings are what a test may change before the gateway starts.
type settings struct {
	streams streams.Options
	server  server.Options
}

func newSite(t testing.TB, change ...func(*settings)) *site {
	t.Helper()
	authority, err := certs.Open(certs.Options{Dir: t.TempDir(), Domains: []string{"pods.localhost"}})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{
		t: t, log: &logtest.Buffer{}, registry: prometheus.NewRegistry(), trusted: x509.NewCertPool(), ca: authority.PEM(),
		done: make(chan error, 1),
	}
	s.trusted.AppendCertsFromPEM(s.ca)
	s.table.Store(&routes.Table{})
	logger := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	figures := usage.New(s.table.Load, s.registry)
	handler := proxy.New(proxy.Options{Routes: s.table.Load, Logger: logger, Usage: figures})
	t.Cleanup(handler.Close)
	chosen := settings{
		streams: streams.Options{
			Routes: s.table.Load, GetCertificate: authority.GetCertificate, Logger: logger, Registerer: s.registry,
			Usage: figures, StartPatience: 50 * time.Millisecond,
		},
		server: server.Options{
			Handler: handler, GetCertificate: authority.GetCertificate, Registerer: s.registry, Logger: logger,
			DrainTimeout: time.Millisecond,
		},
	}
	for _, c := range change {
		c(&chosen)
	}
	chosen.server.Streams = streams.New(chosen.streams)
	plain, secure := listen(t), listen(t)
	s.plain, s.secure = plain.Addr().String(), secure.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	go func() { s.done <- server.New(chosen.server).Run(ctx, plain, secure) }()
	t.Cleanup(func() {
		cancel()
		if err := <-s.done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// put adds a pod "id" of a protocol with the given status at address to the
// table, and returns its host.
func (s *site) put(id, protocol string, status pods.Status, address net.Addr, change ...func(*pods.Networking)) string {
	networking := pods.NewNetworking()
	networking.Protocol = protocol
	pod := pods.Pod{TenantID: "tenantone", ID: id, Status: status, CreationTS: time.Unix(0, 0)}
	if tcp, ok := address.(*net.TCPAddr); ok {
		pod.Address, networking.Port = tcp.IP.String(), tcp.Port
	}
	for _, c := range change {
		c(&networking)
	}
	pod.Networking = pods.WithURLs(map[string]pods.Networking{pods.DefaultNetworkKey: networking}, id, "pods.localhost")
	s.table.Store(s.table.Load().With(pod))
	return id + ".pods.localhost"
}

// serve starts a program that treats each connection with talk, and adds an
// AVAILABLE pod for it.
func (s *site) serve(id, protocol string, talk func(net.Conn), change ...func(*pods.Networking)) string {
	s.t.Helper()
	return s.put(id, protocol, pods.StatusAvailable, program(s.t, talk), change...)
}

// program starts a program that treats each connection with talk and then
// closes it.
func program(t testing.TB, talk func(net.Conn)) net.Addr {
	t.Helper()
	listener := listen(t)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				talk(conn)
			}()
		}
	}()
	return listener.Addr()
}

// web starts a web server and adds an AVAILABLE pod for it.
func (s *site) web(id string, handler http.HandlerFunc) string {
	s.t.Helper()
	upstream := httptest.NewServer(handler)
	s.t.Cleanup(upstream.Close)
	return s.put(id, pods.ProtocolHTTP, pods.StatusAvailable, upstream.Listener.Addr())
}

// echo sends back what comes, then says goodbye.
func echo(conn net.Conn) {
	_, _ = io.Copy(conn, conn)
	_, _ = io.WriteString(conn, "goodbye")
}

// dial opens a connection that is closed with the test.
func dial(t testing.TB, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// dialTLS opens a connection for host and shakes hands.
func (s *site) dialTLS(t testing.TB, host string, protocols ...string) (*tls.Conn, error) {
	t.Helper()
	conn := tls.Client(dial(t, s.secure), &tls.Config{RootCAs: s.trusted, ServerName: host, NextProtos: protocols})
	return conn, conn.Handshake()
}

// open is dialTLS for a handshake that must succeed.
func (s *site) open(t testing.TB, host string, protocols ...string) *tls.Conn {
	t.Helper()
	conn, err := s.dialTLS(t, host, protocols...)
	if err != nil {
		t.Fatalf("handshake for %s: %v", host, err)
	}
	return conn
}

// say writes text and reads as much as it says.
func say(t testing.TB, conn net.Conn, text string) string {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatalf("write: %v", err)
	}
	answer := make([]byte, len(text))
	if _, err := io.ReadFull(conn, answer); err != nil {
		t.Fatalf("read: %v", err)
	}
	return string(answer)
}

// wantEnd reads the rest of a connection, which must come to its end.
func wantEnd(t testing.TB, conn net.Conn) string {
	t.Helper()
	rest, err := io.ReadAll(conn)
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() { //nolint:errorlint // a connection returns it as it is
		t.Fatalf("the connection stays open after %q", rest)
	}
	return string(rest)
}

// waitForLog waits until the log has a line with all texts, and returns it.
func (s *site) waitForLog(t testing.TB, texts ...string) string {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		for line := range strings.Lines(s.log.String()) {
			missing := false
			for _, text := range texts {
				missing = missing || !strings.Contains(line, text)
			}
			if !missing {
				return line
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("no line has %q:\n%s", texts, s.log.String())
		}
		runtime.Gosched()
	}
}
