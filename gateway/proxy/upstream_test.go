package proxy_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pods-service/pods/gateway/dial"
	"github.com/pods-service/pods/gateway/proxy"
	"github.com/pods-service/pods/shared/pods"
)

// freePort returns an address on which nothing listens.
func freePort(t *testing.T) net.Addr {
	t.Helper()
	listener := listen(t)
	defer func() { _ = listener.Close() }()
	return listener.Addr()
}

// refusals counts, on a channel, attempts to connect that failed.
func refusals(h *proxy.Handler) <-chan struct{} {
	refused := make(chan struct{}, 1000)
	h.WrapDial(func(attempt dial.Func) dial.Func {
		return func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := attempt(ctx, network, address)
			if err != nil {
				refused <- struct{}{}
			}
			return conn, err
		}
	})
	return refused
}

// TestFirstRequestWaitsForTheProgram: the container runs, the program in it is
// about to listen. Requests of every kind that come in between are served.
func TestFirstRequestWaitsForTheProgram(t *testing.T) {
	t.Parallel()

	s := newSite(t, func(o *proxy.Options) { o.StartPatience = patience })
	refused := refusals(s.handler)
	address := freePort(t)
	s.put("db", pods.StatusAvailable, address)
	type result struct {
		status int
		body   string
	}
	results := make(chan result)
	w := s.ways()["http1"]
	for i := range 20 {
		go func() {
			method := []string{http.MethodGet, http.MethodPost}[i%2]
			r, _ := http.NewRequestWithContext(t.Context(), method, "http://db.pods.localhost/", strings.NewReader("body"))
			response, err := w.client.Do(r)
			if err != nil {
				results <- result{body: err.Error()}
				return
			}
			text, _ := io.ReadAll(response.Body)
			_ = response.Body.Close()
			results <- result{response.StatusCode, string(text)}
		}()
	}
	for range 25 {
		receive(t, refused, "a refused connection")
	}
	listener, err := net.Listen("tcp", address.String())
	if err != nil {
		t.Fatal(err)
	}
	program := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	})}
	go func() { _ = program.Serve(listener) }()
	t.Cleanup(func() { _ = program.Close() })
	for range 20 {
		if got := receive(t, results, "an answer"); got.status != http.StatusOK || got.body != "body" {
			t.Errorf("answer %d %.200s", got.status, got.body)
		}
	}
}

// speak starts a program that is no HTTP server: it reads a little, says text
// and hangs up.
func speak(t *testing.T, text string) net.Addr {
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
				_, _ = conn.Read(make([]byte, 4096))
				_, _ = io.WriteString(conn, text)
				_ = conn.Close()
			}()
		}
	}()
	return listener.Addr()
}

func TestPodGivesNoAnswer(t *testing.T) {
	t.Parallel()

	mute := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the end of the connection goes unnoticed
		<-r.Context().Done()
	}))
	t.Cleanup(mute.Close)
	tests := map[string]struct {
		address   net.Addr
		dial      dial.Func // nil for a real one
		wantCode  int
		wantState string
		wantRetry bool
	}{
		"NotListening": {address: freePort(t), wantCode: 503, wantState: "starting", wantRetry: true},
		"Garbage":      {address: speak(t, "SSH-2.0-OpenSSH_9.2\r\n"), wantCode: 502, wantState: "bad_answer"},
		"HangsUp":      {address: speak(t, ""), wantCode: 502, wantState: "bad_answer"},
		"HalfAHeader":  {address: speak(t, "HTTP/1.1 200 OK\r\nContent-"), wantCode: 502, wantState: "bad_answer"},
		"EndlessHeader": {
			address: speak(t, "HTTP/1.1 200 OK\r\nX-A: "+strings.Repeat("a", 300<<10)+"\r\n\r\n"), wantCode: 502, wantState: "bad_answer",
		},
		"TooSlow": {address: mute.Listener.Addr(), wantCode: 504, wantState: "timeout"},
		"Unreachable": {
			address: freePort(t), wantCode: 502, wantState: "unreachable",
			dial: func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.OpError{Op: "dial", Err: context.DeadlineExceeded}
			},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := newSite(t, func(o *proxy.Options) {
				if tc.wantState == "timeout" { // the others must not be cut short on a busy machine
					o.ResponseTimeout = 100 * time.Millisecond
				}
			})
			if tc.dial != nil {
				s.handler.WrapDial(func(dial.Func) dial.Func { return tc.dial })
			}
			s.put("db", pods.StatusAvailable, tc.address)
			for way, w := range s.ways() {
				for _, method := range []string{http.MethodGet, http.MethodPost} {
					r := newRequest(t, method, w.scheme+"://db.pods.localhost/?q=secret", strings.NewReader("body"))
					r.Header.Set("Accept", "application/json")
					response, body := w.do(t, r)
					if response.StatusCode != tc.wantCode || !strings.Contains(body, `"state":"`+tc.wantState+`"`) {
						t.Errorf("%s %s: %d %s", way, method, response.StatusCode, body)
					}
					if got := response.Header.Get("Retry-After") != ""; got != tc.wantRetry {
						t.Errorf("%s %s: Retry-After present: %t", way, method, got)
					}
					for _, inside := range []string{"127.0.0.1", "SSH", "secret", "refused"} {
						if strings.Contains(body, inside) {
							t.Errorf("%s %s: the page shows %q: %s", way, method, inside, body)
						}
					}
				}
			}
		})
	}
}

// TestPodStopsWhileItIsAsked: the page says what became of the pod.
func TestPodStopsWhileItIsAsked(t *testing.T) {
	t.Parallel()

	for name, tc := range map[string]struct {
		change   func(s *site)
		want     int
		wantText string
	}{
		"Stopped": {func(s *site) { s.put("db", pods.StatusStopped, nil) }, 503, "The pod is stopped."},
		"Deleted": {func(s *site) { s.table.Store(s.table.Load().Without("tenantone", "db")) }, 404, "There is no pod"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := newSite(t)
			host := s.pod("db", func(http.ResponseWriter, *http.Request) {
				tc.change(s)
				panic(http.ErrAbortHandler)
			})
			// A body, so that the transport does not try again by itself.
			r := newRequest(t, http.MethodPost, "http://"+host, strings.NewReader("body"))
			if response, body := s.ways()["http1"].do(t, r); response.StatusCode != tc.want || !strings.Contains(body, tc.wantText) {
				t.Errorf("answer %d %s", response.StatusCode, body)
			}
		})
	}
}

// TestIdleConnectionsAreKept: requests to one pod share connections.
func TestIdleConnectionsAreKept(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	var mu sync.Mutex
	clients := map[string]bool{}
	host := s.pod("db", func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		clients[r.RemoteAddr] = true
	})
	for _, w := range s.ways() {
		for range 10 {
			w.get(t, w.scheme+"://"+host)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(clients) > 3 {
		t.Errorf("30 requests one after the other took %d connections", len(clients))
	}
}

// TestEnvironmentProxyIsIgnored cannot run in parallel: it sets the process's
// environment.
func TestEnvironmentProxyIsIgnored(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	s := newSite(t)
	host := s.pod("db", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	if response, _ := s.ways()["http1-tls"].get(t, "https://"+host); response.StatusCode != http.StatusNoContent {
		t.Errorf("answer %d", response.StatusCode)
	}
}
