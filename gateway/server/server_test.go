package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/pods-service/pods/gateway/certs"
	"github.com/pods-service/pods/gateway/server"
)

// patience bounds every wait for something that must happen.
const patience = 20 * time.Second

// running is a server with the ends of its life.
type running struct {
	plain, secure string
	trusted       *x509.CertPool
	stop          context.CancelFunc
	done          chan error
}

func run(t *testing.T, options server.Options) *running {
	t.Helper()
	authority, err := certs.Open(certs.Options{Dir: t.TempDir(), Domains: []string{"pods.localhost"}})
	if err != nil {
		t.Fatal(err)
	}
	options.GetCertificate, options.Logger = authority.GetCertificate, slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{trusted: x509.NewCertPool(), stop: cancel, done: make(chan error, 1)}
	r.trusted.AppendCertsFromPEM(authority.PEM())
	plain, secure := listen(t), listen(t)
	r.plain, r.secure = plain.Addr().String(), secure.Addr().String()
	go func() { r.done <- server.New(options).Run(ctx, plain, secure) }()
	t.Cleanup(cancel)
	return r
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

func (r *running) wantEnd(t *testing.T) {
	t.Helper()
	select {
	case err := <-r.done:
		if err != nil {
			t.Errorf("Run: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Run does not end")
	}
}

// send opens a connection, sends a request and returns what reads the answer.
func send(t *testing.T, address, request string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

func TestProtocols(t *testing.T) {
	t.Parallel()

	r := run(t, server.Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, r.Proto, " ", r.TLS != nil)
	})})
	tests := map[string]struct {
		address, want string
		config        *tls.Config
	}{
		"Plain":   {r.plain, "HTTP/1.1 false", nil},
		"HTTP1":   {r.secure, "HTTP/1.1 true", &tls.Config{NextProtos: []string{"http/1.1"}}},
		"HTTP2":   {r.secure, "HTTP/2.0 true", &tls.Config{}},
		"OldTLS":  {r.secure, "", &tls.Config{MaxVersion: tls.VersionTLS11}},
		"NoName":  {r.secure, "", &tls.Config{InsecureSkipVerify: true}},
		"Foreign": {r.secure, "", &tls.Config{ServerName: "example.com", InsecureSkipVerify: true}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			scheme := "http"
			if tc.config != nil {
				scheme = "https"
				tc.config.RootCAs = r.trusted
			}
			host := "db.pods.localhost"
			if name == "NoName" {
				host = "127.0.0.1"
			}
			transport := &http.Transport{
				TLSClientConfig: tc.config, ForceAttemptHTTP2: name == "HTTP2",
				DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, network, tc.address)
				},
			}
			defer transport.CloseIdleConnections()
			response, err := (&http.Client{Transport: transport, Timeout: patience}).Get(scheme + "://" + host + "/")
			if err != nil {
				if tc.want != "" {
					t.Errorf("request: %v", err)
				}
				return
			}
			defer func() { _ = response.Body.Close() }()
			if body, _ := io.ReadAll(response.Body); string(body) != tc.want {
				t.Errorf("served as %q, want %q", body, tc.want)
			}
		})
	}
}

// TestDrain: requests under way come to their end, new ones are not taken.
func TestDrain(t *testing.T) {
	t.Parallel()

	entered, release := make(chan struct{}), make(chan struct{})
	r := run(t, server.Options{DrainTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		_, _ = io.WriteString(w, "finished")
	})})
	_, answer := send(t, r.plain, get)
	<-entered
	r.stop()
	for { // the listener closes in a moment
		conn, err := net.Dial("tcp", r.plain)
		if err != nil {
			break
		}
		_ = conn.Close()
	}
	select {
	case err := <-r.done:
		t.Fatalf("Run ended with a request under way: %v", err)
	default:
	}
	close(release)
	response, err := http.ReadResponse(answer, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, _ := io.ReadAll(response.Body); string(body) != "finished" || !response.Close {
		t.Errorf("answer %q, close announced: %t", body, response.Close)
	}
	r.wantEnd(t)
}

// upgrade takes the connection over and echoes until the visitor leaves or the
// request is cut.
func upgrade(w http.ResponseWriter, r *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(r.Context(), func() { _ = conn.Close() })()
	_, _ = io.WriteString(conn, "upgraded\n")
	_, _ = io.Copy(conn, conn)
}

// TestDrainOfUpgraded: upgraded connections go on while others are drained,
// and are cut at the end of the time.
func TestDrainOfUpgraded(t *testing.T) {
	t.Parallel()

	t.Run("EndsByItself", func(t *testing.T) {
		t.Parallel()

		r := run(t, server.Options{DrainTimeout: time.Hour, Handler: http.HandlerFunc(upgrade)})
		conn, answer := send(t, r.plain, get)
		_, _ = answer.ReadString('\n')
		r.stop()
		for _, text := range []string{"one\n", "two\n"} {
			_, _ = io.WriteString(conn, text)
			if got, err := answer.ReadString('\n'); got != text {
				t.Fatalf("echo of %q: %q, %v", text, got, err)
			}
		}
		select {
		case err := <-r.done:
			t.Fatalf("Run ended with an upgraded connection open: %v", err)
		default:
		}
		_ = conn.Close()
		r.wantEnd(t)
	})
	t.Run("IsCut", func(t *testing.T) {
		t.Parallel()

		r := run(t, server.Options{DrainTimeout: 50 * time.Millisecond, Handler: http.HandlerFunc(upgrade)})
		_, answer := send(t, r.plain, get)
		_, _ = answer.ReadString('\n')
		r.stop()
		r.wantEnd(t)
		if got, err := answer.ReadString('\n'); err == nil {
			t.Errorf("read %q after the cut", got)
		}
	})
}

func TestHangingRequestIsCut(t *testing.T) {
	t.Parallel()

	entered := make(chan struct{})
	r := run(t, server.Options{DrainTimeout: 50 * time.Millisecond, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	})})
	send(t, r.plain, get)
	<-entered
	r.stop()
	r.wantEnd(t)
}

func TestListenerFails(t *testing.T) {
	t.Parallel()

	broken := listen(t)
	_ = broken.Close()
	err := server.New(server.Options{Handler: http.NotFoundHandler(), Logger: slog.New(slog.DiscardHandler)}).
		Run(t.Context(), broken, nil)
	if err == nil || !strings.Contains(err.Error(), "serve plain on "+broken.Addr().String()) {
		t.Errorf("Run: %v", err)
	}
}

// TestMaxConnections: the next one waits until one is closed.
func TestMaxConnections(t *testing.T) {
	t.Parallel()

	registry := prometheus.NewRegistry()
	r := run(t, server.Options{MaxConnections: 2, Registerer: registry, Handler: http.HandlerFunc(upgrade)})
	first, answer := send(t, r.plain, get)
	_, _ = answer.ReadString('\n')
	_, answer = send(t, r.plain, get)
	_, _ = answer.ReadString('\n')
	third, answer := send(t, r.plain, get)
	_ = third.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if got, err := answer.ReadString('\n'); err == nil {
		t.Fatalf("a third connection was served: %q", got)
	}
	_ = first.Close()
	_ = third.SetReadDeadline(time.Now().Add(patience))
	if got, err := answer.ReadString('\n'); got != "upgraded\n" {
		t.Errorf("after one was closed: %q, %v", got, err)
	}
	const want = `
# HELP pods_gateway_connections_total Connections of visitors that were accepted.
# TYPE pods_gateway_connections_total counter
pods_gateway_connections_total{listener="plain"} 3
pods_gateway_connections_total{listener="tls"} 0
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "pods_gateway_connections_total"); err != nil {
		t.Error(err)
	}
}

// pipes is a listener whose connections live in synthetic time.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

// TestSlowClients: a connection costs something, so it is not kept for a
// client that does not say what it wants.
func TestSlowClients(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		sends []string
		want  time.Duration // until the connection is closed
	}{
		"Nothing":      {nil, 10 * time.Second},
		"HalfAHeader":  {[]string{"GET / HTTP/1.1\r\nHost"}, 10 * time.Second},
		"Idle":         {[]string{get}, 2 * time.Minute},
		"SlowSecond":   {[]string{get, "GET /"}, 10 * time.Second},
		"BodyTakesAny": {[]string{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo"}, time.Hour},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				listener := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				go func() {
					done <- server.New(server.Options{
						Logger: slog.New(slog.DiscardHandler), DrainTimeout: time.Nanosecond,
						Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }),
					}).Run(ctx, listener, nil)
				}()
				client, conn := net.Pipe()
				listener.conns <- conn
				began := time.Now()
				closed := make(chan struct{})
				go func() {
					defer close(closed)
					_, _ = io.Copy(io.Discard, client)
				}()
				for _, text := range tc.sends {
					_, _ = io.WriteString(client, text)
					synctest.Wait()
				}
				select {
				case <-closed:
				case <-time.After(time.Hour):
				}
				if took := time.Since(began); took < tc.want || took > tc.want+time.Second {
					t.Errorf("closed after %s, want %s", took, tc.want)
				}
				_ = client.Close()
				cancel()
				if err := <-done; err != nil && !errors.Is(err, net.ErrClosed) {
					t.Errorf("Run: %v", err)
				}
				<-closed
			})
		})
	}
}
