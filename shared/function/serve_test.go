package function_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/function"
)

// patience bounds every wait for something that must happen.
const patience = 20 * time.Second

// process is settings with any free ports.
func process() function.Process {
	return function.Process{LogLevel: "error", DrainTimeout: 10 * time.Second, DrainQuiet: time.Millisecond}
}

func newFunction(t *testing.T, settings function.Process) *function.Function {
	t.Helper()
	f, err := function.New("test", "1.2.3", settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close(context.WithoutCancel(t.Context())) })
	return f
}

// running is a function that serves until terminate is called.
type running struct {
	*function.Function
	t         *testing.T
	terminate context.CancelFunc // as SIGTERM does
	done      chan error
}

func serve(t *testing.T, f *function.Function, handler http.Handler) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	r := &running{Function: f, t: t, terminate: cancel, done: make(chan error, 1)}
	go func() { r.done <- f.Serve(ctx, handler) }()
	t.Cleanup(cancel)
	return r
}

func (r *running) wantEnd(want error) {
	r.t.Helper()
	select {
	case err := <-r.done:
		if !errors.Is(err, want) {
			r.t.Errorf("Serve = %v, want %v", err, want)
		}
	case <-time.After(patience):
		r.t.Fatal("Serve does not end")
	}
}

func urlOf(address net.Addr, path string) string {
	_, port, _ := net.SplitHostPort(address.String())
	return "http://" + net.JoinHostPort("127.0.0.1", port) + path
}

// get returns the answer; header holds pairs of names and values.
func get(t *testing.T, url string, header ...string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

var (
	kubelet = []string{"User-Agent", "kube-probe/1.35"}
	knative = []string{"K-Network-Probe", "probe", "K-Network-Hash", "abc"}
)

func TestServe(t *testing.T) {
	t.Parallel()

	f := newFunction(t, process())
	ready := errors.New("not yet")
	f.Ready = func() error { return ready }
	r := serve(t, f, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, "handler of ", r.URL.Path) }))
	defer r.wantEnd(nil)
	defer r.terminate()

	tests := map[string]struct {
		path, want string
		status     int
		header     []string
	}{
		"NotReady":        {"/healthz", "not yet\n", 503, nil},
		"Live":            {"/livez", "", 200, nil},
		"KubeletNotReady": {"/any/path", "not yet\n", 503, kubelet},
		"KubeletLive":     {"/livez", "", 200, kubelet},
		"KnativeProbe":    {"/", "", 200, knative},
		"Request":         {"//odd/../path", "handler of //odd/../path", 200, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if status, body := get(t, urlOf(f.Addr(), tc.path), tc.header...); status != tc.status || body != tc.want {
				t.Errorf("%d %q, want %d %q", status, body, tc.status, tc.want)
			}
		})
	}
	if status, body := get(t, urlOf(f.MetricsAddr(), "/metrics")); status != 200 || !strings.Contains(body, "go_goroutines") {
		t.Errorf("metrics = %d", status)
	}
	if status, body := get(t, urlOf(f.MetricsAddr(), "/debug/pprof/profile?seconds=1")); status != 200 || !strings.HasPrefix(body, "\x1f\x8b") {
		t.Errorf("profile = %d %.20q, want it compressed", status, body)
	}
}

// TestServeDrains: after SIGTERM probes fail while a request under way goes on
// to its end, then what was opened is closed, the last first.
func TestServeDrains(t *testing.T) {
	t.Parallel()

	settings := process()
	settings.DrainTimeout, settings.DrainQuiet = 20*time.Second, 2*time.Second
	f := newFunction(t, settings)
	var order []string
	for _, name := range []string{"pool", "relay"} {
		f.OnClose(func(context.Context) error { order = append(order, name); return nil })
	}
	f.Background(func(ctx context.Context) error {
		<-ctx.Done()
		order = append(order, "work")
		return nil
	})
	entered, release := make(chan struct{}), make(chan struct{})
	r := serve(t, f, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-release
		order = append(order, "request")
		_, _ = io.WriteString(w, "whole")
	}))
	answered := make(chan string, 1)
	go func() {
		_, body := get(t, urlOf(f.Addr(), "/slow"))
		answered <- body
	}()
	<-entered
	r.terminate()
	for {
		status, _ := get(t, urlOf(f.Addr(), "/"), kubelet...)
		if status == http.StatusServiceUnavailable {
			break // draining has begun
		}
	}
	close(release)
	if body := <-answered; body != "whole" {
		t.Errorf("the request under way got %q", body)
	}
	r.wantEnd(nil)
	if got := strings.Join(order, " "); got != "request work relay pool" {
		t.Errorf("ended in the order %q", got)
	}
	if _, err := new(net.Dialer).DialContext(t.Context(), "tcp", f.Addr().String()); err == nil {
		t.Error("the port is still open")
	}
}

func TestServeCutsOff(t *testing.T) {
	t.Parallel()

	settings := process()
	settings.DrainTimeout = 500 * time.Millisecond
	f := newFunction(t, settings)
	closed := make(chan error, 1)
	f.OnClose(func(ctx context.Context) error {
		<-ctx.Done() // as a delivery does that nobody takes
		closed <- ctx.Err()
		return ctx.Err()
	})
	entered, cut := make(chan struct{}), make(chan struct{})
	r := serve(t, f, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
		close(cut)
	}))
	go func() {
		answer, err := http.Get(urlOf(f.Addr(), "/endless"))
		if err == nil {
			_ = answer.Body.Close()
		}
	}()
	<-entered
	began := time.Now()
	r.terminate()
	r.wantEnd(nil)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("draining took %s, want about the half second it may take", took)
	}
	<-cut
	<-closed
}

func TestServeEndsWithItsWork(t *testing.T) {
	t.Parallel()

	f := newFunction(t, process())
	broken := errors.New("the listener broke")
	f.Background(func(context.Context) error { return broken })
	serve(t, f, http.NotFoundHandler()).wantEnd(broken)
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()

	taken := newFunction(t, process())
	for name, change := range map[string]func(*function.Process){
		"Port":        func(p *function.Process) { p.Port = taken.Addr().(*net.TCPAddr).Port },
		"MetricsPort": func(p *function.Process) { p.MetricsPort = taken.Addr().(*net.TCPAddr).Port },
		"LogLevel":    func(p *function.Process) { p.LogLevel = "loud" },
	} {
		settings := process()
		change(&settings)
		if _, err := function.New("test", "", settings); err == nil {
			t.Errorf("%s: %+v is taken", name, settings)
		}
	}
}
