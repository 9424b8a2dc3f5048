package streams_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/redis/go-redis/v9"

	"github.com/pods-service/pods/shared/pods"
)

// TestRedis: a real server behind the gateway and a real client before it.
func TestRedis(t *testing.T) {
	t.Parallel()

	socket, err := redisSocket()
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t)
	host := s.put("cache", pods.ProtocolTCP, pods.StatusAvailable, forward(t, socket))
	client := redis.NewClient(&redis.Options{
		Addr: s.secure, TLSConfig: &tls.Config{RootCAs: s.trusted, ServerName: host}, DialTimeout: patience,
	})
	defer client.Close()
	value := strings.Repeat("x", 3<<20)
	if err := client.Set(t.Context(), "key", value, 0).Err(); err != nil {
		t.Fatalf("SET: %v", err)
	}
	if got, err := client.Get(t.Context(), "key").Result(); err != nil || got != value {
		t.Errorf("GET: %d bytes, %v", len(got), err)
	}
	heard := client.Subscribe(t.Context(), "news")
	defer heard.Close()
	if _, err := heard.Receive(t.Context()); err != nil {
		t.Fatalf("SUBSCRIBE: %v", err)
	}
	if err := client.Publish(t.Context(), "news", "hello").Err(); err != nil {
		t.Fatalf("PUBLISH: %v", err)
	}
	if message, err := heard.ReceiveMessage(t.Context()); err != nil || message.Payload != "hello" {
		t.Errorf("message %v, %v", message, err)
	}
}

// TestProtocolOffers: a client may name any protocol by ALPN, or none.
func TestProtocolOffers(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	host := s.serve("raw", pods.ProtocolTCP, echo)
	for name, tc := range map[string]struct {
		offers []string
		want   string
	}{
		"None": {nil, ""}, "One": {[]string{"bolt"}, "bolt"}, "Only2": {[]string{"h2"}, "h2"},
		"Browser": {[]string{"h2", "http/1.1"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			conn := s.open(t, host, tc.offers...)
			if got := conn.ConnectionState().NegotiatedProtocol; got != tc.want {
				t.Errorf("negotiated %q, want %q", got, tc.want)
			}
			if got := say(t, conn, "hello"); got != "hello" {
				t.Errorf("echo %q", got)
			}
		})
	}
}

// TestHalfClose: what one side sends after the other has ended still arrives.
func TestHalfClose(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	message := bytes.Repeat([]byte("0123456789"), 100_000)
	conn := s.open(t, s.serve("raw", pods.ProtocolTCP, echo))
	go func() {
		_, _ = conn.Write(message)
		_ = conn.CloseWrite()
	}()
	if got, err := io.ReadAll(conn); err != nil || string(got) != string(message)+"goodbye" {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
	line := s.waitForLog(t, "msg=connection")
	for _, want := range []string{
		"level=INFO", "protocol=tcp", "host=raw.pods.localhost", "client=127.0.0.1:", "result=ended", "received=1000000", "sent=1000007",
		"took=", "tenant_id=tenantone", "pod_id=raw", "key=default", "target=127.0.0.1:",
	} {
		if !strings.Contains(line, want) {
			t.Errorf("%q is missing: %s", want, line)
		}
	}
	const want = `
# HELP pods_gateway_open_streams Open connections of other protocols than HTTP.
# TYPE pods_gateway_open_streams gauge
pods_gateway_open_streams{protocol="postgres"} 0
pods_gateway_open_streams{protocol="tcp"} 0
# HELP pods_gateway_pod_bytes_total Bytes of bodies and connections, in from visitors and out to them.
# TYPE pods_gateway_pod_bytes_total counter
pods_gateway_pod_bytes_total{direction="in",pod_id="raw",tenant_id="tenantone"} 1e+06
pods_gateway_pod_bytes_total{direction="out",pod_id="raw",tenant_id="tenantone"} 1.000007e+06
# HELP pods_gateway_streams_total Connections of other protocols than HTTP, by how they have ended.
# TYPE pods_gateway_streams_total counter
pods_gateway_streams_total{protocol="tcp",result="ended"} 1
`
	if err := waitFor(func() error {
		return testutil.GatherAndCompare(s.registry, strings.NewReader(want),
			"pods_gateway_open_streams", "pods_gateway_pod_bytes_total", "pods_gateway_streams_total")
	}); err != nil {
		t.Error(err)
	}
}

// TestPodSpeaksFirst: the client need not say anything, and a pod that leaves
// ends the connection.
func TestPodSpeaksFirst(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	host := s.serve("raw", pods.ProtocolTCP, func(conn net.Conn) { _, _ = io.WriteString(conn, "220 ready\r\n") })
	if got := wantEnd(t, s.open(t, host)); got != "220 ready\r\n" {
		t.Errorf("read %q", got)
	}
}

func TestPodThatDoesNotServe(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	for id, status := range map[string]pods.Status{"off": pods.StatusStopped, "new": pods.StatusCreating, "deaf": pods.StatusAvailable} {
		listener := listen(t)
		_ = listener.Close()
		conn := s.open(t, s.put(id, pods.ProtocolTCP, status, listener.Addr()))
		if got := wantEnd(t, conn); got != "" {
			t.Errorf("%s: read %q", id, got)
		}
		result := "not_serving"
		if id == "deaf" {
			result = "unreachable"
		}
		s.waitForLog(t, "pod_id="+id, "result="+result)
	}
}

// TestPodThatIsAboutToListen: the connection waits for it.
func TestPodThatIsAboutToListen(t *testing.T) {
	t.Parallel()

	s := newSite(t, func(c *settings) { c.streams.StartPatience = patience })
	listener := listen(t)
	address := listener.Addr().String()
	_ = listener.Close()
	conn := s.open(t, s.put("raw", pods.ProtocolTCP, pods.StatusAvailable, listener.Addr()))
	if err := waitFor(func() (err error) { listener, err = net.Listen("tcp", address); return err }); err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		if conn, err := listener.Accept(); err == nil {
			echo(conn)
			_ = conn.Close()
		}
	}()
	if got := say(t, conn, "hello"); got != "hello" {
		t.Errorf("echo %q", got)
	}
}

// TestAllowList: nobody else reaches the pod, by any protocol.
func TestAllowList(t *testing.T) {
	t.Parallel()

	reached := make(chan struct{}, 10)
	talk := func(conn net.Conn) {
		reached <- struct{}{}
		echo(conn)
	}
	s := newSite(t)
	others := func(n *pods.Networking) { n.IPAllowList = []string{"10.0.0.0/8", "192.0.2.7"} }
	mine := func(n *pods.Networking) { n.IPAllowList = []string{"10.0.0.0/8", "127.0.0.1"} }
	if _, err := s.dialTLS(t, s.serve("closed", pods.ProtocolTCP, talk, others)); err == nil {
		t.Error("the handshake succeeds")
	}
	s.waitForLog(t, "pod_id=closed", "result=refused")
	if len(reached) > 0 {
		t.Error("the pod was reached")
	}
	if got := say(t, s.open(t, s.serve("open", pods.ProtocolTCP, talk, mine)), "hello"); got != "hello" {
		t.Errorf("echo %q", got)
	}
}

// TestHTTPBesides: web pods on the same port stay what they are.
func TestHTTPBesides(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	host := s.web("web", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "web "+r.Header.Get("X-Forwarded-Proto"))
	})
	s.serve("raw", pods.ProtocolTCP, echo)
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		transport := &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: s.trusted}, ForceAttemptHTTP2: http2,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, s.secure)
			},
		}
		client := &http.Client{Transport: transport, Timeout: patience}
		response, err := client.Get("https://" + host + "/")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.Proto != name || string(body) != "web https" {
			t.Errorf("%s: %s %q", name, response.Proto, body)
		}
		// The name in the handshake decides, and the one in the request cannot
		// lead elsewhere.
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+"/", nil)
		r.Host = "raw.pods.localhost"
		if response, err = client.Do(r); err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("%s for another host: %d", name, response.StatusCode)
		}
		transport.CloseIdleConnections()
	}
	conn := s.open(t, "raw.pods.localhost", "http/1.1")
	const request = "GET / HTTP/1.1\r\nHost: web.pods.localhost\r\n\r\n"
	if got := say(t, conn, request); got != request {
		t.Errorf("the pod got %q", got)
	}
}

// TestDrain: connections stay until the time to drain is over.
func TestDrain(t *testing.T) {
	t.Parallel()

	t.Run("EndsByItself", func(t *testing.T) {
		t.Parallel()

		s := newSite(t, func(c *settings) { c.server.DrainTimeout = time.Hour })
		conn := s.open(t, s.serve("raw", pods.ProtocolTCP, echo))
		say(t, conn, "before")
		s.stop()
		for { // the listener closes in a moment
			other, err := net.Dial("tcp", s.secure)
			if err != nil {
				break
			}
			_ = other.Close()
		}
		if got := say(t, conn, "after"); got != "after" {
			t.Errorf("echo %q", got)
		}
		_ = conn.Close()
	})
	t.Run("IsCut", func(t *testing.T) {
		t.Parallel()

		s := newSite(t, func(c *settings) { c.server.DrainTimeout = 50 * time.Millisecond })
		conn := s.open(t, s.serve("raw", pods.ProtocolTCP, echo))
		say(t, conn, "before")
		s.stop()
		if got := wantEnd(t, conn); got != "" {
			t.Errorf("read %q", got)
		}
		s.waitForLog(t, "result=cut")
	})
}
