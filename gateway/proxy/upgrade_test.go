package proxy_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// echo answers each WebSocket message with itself until the visitor closes.
func echo(w http.ResponseWriter, r *http.Request) {
	socket, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"chat"}})
	if err != nil {
		return
	}
	defer func() { _ = socket.CloseNow() }()
	socket.SetReadLimit(-1)
	for {
		kind, message, err := socket.Read(r.Context())
		if err != nil {
			return
		}
		if err := socket.Write(r.Context(), kind, message); err != nil {
			return
		}
	}
}

func (w way) dial(t *testing.T, host string) *websocket.Conn {
	t.Helper()
	socket, response, err := websocket.Dial(t.Context(), w.scheme+"://"+host+"/ws?room=1", &websocket.DialOptions{
		HTTPClient: w.client, Subprotocols: []string{"chat"},
		HTTPHeader: http.Header{"Origin": {w.scheme + "://" + host}},
	})
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { _ = socket.CloseNow() })
	if response.StatusCode != http.StatusSwitchingProtocols || socket.Subprotocol() != "chat" {
		t.Fatalf("answer %d, subprotocol %q", response.StatusCode, socket.Subprotocol())
	}
	socket.SetReadLimit(-1)
	return socket
}

func TestWebSocket(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	host := s.pod("db", echo)
	for name, w := range s.ways() {
		if w.proto == "HTTP/2.0" {
			continue // browsers open WebSockets over HTTP/1.1
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			socket := w.dial(t, host)
			for _, size := range []int{0, 1, 1000, 1023, 1024, 1025, 32 << 10, 100_000, 5 << 20} {
				message := make([]byte, size)
				_, _ = (&pattern{}).Read(message)
				if err := socket.Write(t.Context(), websocket.MessageBinary, message); err != nil {
					t.Fatalf("send %d bytes: %v", size, err)
				}
				_, got, err := socket.Read(t.Context())
				if err != nil || !bytes.Equal(got, message) {
					t.Fatalf("%d bytes came back as %d, %v", size, len(got), err)
				}
			}
			if err := socket.Close(websocket.StatusNormalClosure, "bye"); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}

func TestWebSocketIsCounted(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	ended := make(chan struct{})
	host := s.pod("db", func(w http.ResponseWriter, r *http.Request) {
		echo(w, r)
		close(ended)
	})
	socket := s.ways()["http1"].dial(t, host)
	if got := s.gauge("pods_gateway_upgraded_connections"); got != 1 {
		t.Errorf("%v upgraded connections while one is open", got)
	}
	_ = socket.CloseNow()
	receive(t, ended, "the pod to learn that the visitor left")
	s.waitForLog(t, "status=101")
	if got := s.gauge("pods_gateway_upgraded_connections"); got != 0 {
		t.Errorf("%v upgraded connections after the only one was closed", got)
	}
	if n, err := testutil.GatherAndCount(s.registry, "pods_gateway_requests_total"); n == 0 || err != nil {
		t.Errorf("%d series of requests, %v", n, err)
	}
}

// TestPodEndsUpgrade: the visitor's connection ends too.
func TestPodEndsUpgrade(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	host := s.pod("db", func(w http.ResponseWriter, r *http.Request) {
		socket, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"chat"}})
		if err == nil {
			_ = socket.CloseNow()
		}
	})
	if _, _, err := s.ways()["http1"].dial(t, host).Read(t.Context()); err == nil {
		t.Error("a read after the pod left succeeded")
	}
}

// TestUpgradeEndsWithOneSide: neither a pod nor a visitor can hold a connection
// that the other has left.
func TestUpgradeEndsWithOneSide(t *testing.T) {
	t.Parallel()

	const agree = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	s := newSite(t)
	release := make(chan struct{})
	s.pod("db", func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, agree)
		if r.URL.Path == "/stay" {
			<-release // whatever the visitor does
		}
	})
	open := func(path string) net.Conn {
		t.Helper()
		conn, err := net.Dial("tcp", s.plain)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_, _ = io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: db.pods.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		if _, err := io.ReadFull(conn, make([]byte, len(agree))); err != nil {
			t.Fatal(err)
		}
		return conn
	}

	_ = open("/stay").Close()
	s.waitForLog(t, "path=/stay")
	close(release)

	left := open("/leave")
	if n, err := left.Read(make([]byte, 1)); err != io.EOF { //nolint:errorlint // a connection returns it as it is
		t.Errorf("read %d bytes, %v, want the end", n, err)
	}
	s.waitForLog(t, "path=/leave") // and the visitor has not closed
}

// TestEarlyUpgradeData: bytes that a client sends right behind its request,
// without waiting for the answer, are not lost.
func TestEarlyUpgradeData(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	proceed := make(chan struct{})
	s.pod("db", func(w http.ResponseWriter, _ *http.Request) {
		<-proceed
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		line, _ := buffered.ReadString('\n')
		_, _ = io.WriteString(conn, "echo "+line)
	})
	conn, err := net.Dial("tcp", s.plain)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: db.pods.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly\n")
	close(proceed)
	answer := bufio.NewReader(conn)
	response, err := http.ReadResponse(answer, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("answer %v, %v", response, err)
	}
	if got, err := answer.ReadString('\n'); got != "echo early\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestNoOtherUpgrade: a tunnel in another protocol would pass by everything
// that is checked per request.
func TestNoOtherUpgrade(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	s.pod("db", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/force" {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "h2c")
			w.WriteHeader(http.StatusSwitchingProtocols)
			return
		}
		_, _ = io.WriteString(w, "upgrade: "+r.Header.Get("Upgrade")+r.Header.Get("Connection"))
	})
	const rest = " HTTP/1.1\nHost: db.pods.localhost\nConnection: Upgrade, close\nUpgrade: h2c\n\n"
	if response, body := s.raw(t, "GET /"+rest); response.StatusCode != http.StatusOK || body != "upgrade: " {
		t.Errorf("answer %d %q", response.StatusCode, body)
	}
	if response, _ := s.raw(t, "GET /force"+rest); response.StatusCode != http.StatusBadGateway {
		t.Errorf("a pod that upgrades unasked: %d, want 502", response.StatusCode)
	}
}

// TestUpgradeNotAgreed: when the pod does not take up a WebSocket, what follows
// on the connection is not a tunnel to it. It is a request like any other, and
// who has not logged in for that one gets nowhere.
func TestUpgradeNotAgreed(t *testing.T) {
	t.Parallel()

	const upgrade = "Host: web.pods.localhost\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\n"
	const next = "GET /next HTTP/1.1\nHost: web.pods.localhost\nConnection: close\n\n"
	tests := map[string]struct {
		request string
		answers []int
		seen    []string
	}{
		"Served":         {"GET / HTTP/1.1\n" + upgrade + "X-Tapis-Token: alice\n\n", []int{200, 302}, []string{"GET / "}},
		"BadVersion":     {"GET /426 HTTP/1.1\n" + upgrade + "Sec-WebSocket-Version: 777\nX-Tapis-Token: alice\n\n", []int{426, 302}, nil},
		"Forbidden":      {"GET / HTTP/1.1\n" + upgrade + "X-Tapis-Token: bob\n\n", []int{403, 302}, nil},
		"WithBody":       {"GET / HTTP/1.1\n" + upgrade + "Content-Length: 53\nX-Tapis-Token: alice\n\n" + hidden, []int{200, 302}, []string{"GET / " + hidden}},
		"HTTP10":         {"GET /101 HTTP/1.0\n" + upgrade + "X-Tapis-Token: alice\n\n", []int{502}, nil},
		"NoConnection":   {"GET /101 HTTP/1.1\nHost: web.pods.localhost\nUpgrade: websocket\nX-Tapis-Token: alice\n\n", []int{502, 302}, nil},
		"OtherProtocol":  {"GET /101 HTTP/1.1\nHost: web.pods.localhost\nConnection: Upgrade\nUpgrade: websocket, h2c\nX-Tapis-Token: alice\n\n", []int{502, 302}, nil},
		"OtherProtocol2": {"GET /101 HTTP/1.1\nHost: web.pods.localhost\nConnection: Upgrade\nUpgrade: h2c\nUpgrade: websocket\nX-Tapis-Token: alice\n\n", []int{502, 302}, nil},
	}
	s := newLoginSite(t)
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) { // one after the other: they share the host
			pod := &recorder{}
			s.private("web", func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/101":
					w.Header().Set("Connection", "Upgrade")
					w.Header().Set("Upgrade", "websocket")
					w.WriteHeader(http.StatusSwitchingProtocols)
				case "/426":
					w.WriteHeader(http.StatusUpgradeRequired)
				default:
					pod.ServeHTTP(w, r)
				}
			})
			conn := tls.Client(connect(t, s.secure), &tls.Config{RootCAs: s.trusted, ServerName: "web.pods.localhost"})
			statuses := converse(t, conn, spell(tc.request+next, ""))
			if diff := cmp.Diff(tc.answers, statuses); diff != "" {
				t.Errorf("answers (-want +got):\n%s", diff)
			}
			for i, want := range tc.seen {
				tc.seen[i] = spell(want, "")
			}
			if requests, _ := pod.seen(); !slices.Equal(tc.seen, requests) {
				t.Errorf("the pod has seen %q, want %q", requests, tc.seen)
			}
		})
	}
}

// TestMisdirectedBehindAnother: on a connection for one pod, a request for
// another is refused wherever it stands.
func TestMisdirectedBehindAnother(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	pod, victim := s.record("db"), s.record("victim")
	conn := tls.Client(connect(t, s.secure), &tls.Config{RootCAs: s.trusted, ServerName: "db.pods.localhost"})
	statuses := converse(t, conn, spell("GET / HTTP/1.1\nHost: {host}\n\n"+hidden+"GET /last HTTP/1.1\nHost: {host}\nConnection: close\n\n", "db.pods.localhost"))
	if diff := cmp.Diff([]int{200, 421, 200}, statuses); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if requests, _ := victim.seen(); len(requests) > 0 {
		t.Errorf("the other pod has seen %q", requests)
	}
	if requests, _ := pod.seen(); len(requests) != 2 {
		t.Errorf("the pod has seen %q", requests)
	}
}
