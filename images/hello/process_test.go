package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipeListener hands out in-memory connections: inside a synctest bubble time
// passes only while nothing can happen, which real sockets would prevent.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{Port: 5000} }

// client returns a client whose connections end at the listener.
func (l *pipeListener) client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			here, there := net.Pipe()
			select {
			case l.conns <- there:
				return here, nil
			case <-l.closed:
				return nil, net.ErrClosed
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		},
	}}
}

func (l *pipeListener) listen(string, string) (net.Listener, error) { return l, nil }

// plainLines returns the lines that are not log records.
func plainLines(output string) []string {
	var lines []string
	for line := range strings.Lines(output) {
		if !strings.HasPrefix(line, "time=") {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}

func TestRunEndsByItself(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		cfg := config{
			podID: "docpod", startDelay: 3 * time.Second, logLines: 2, logNUL: true, logEvery: 4 * time.Second,
			exits: true, exitAfter: 10 * time.Second, exitCode: 7, finalLine: "only on SIGTERM",
		}
		start := time.Now()
		code := newProcess(cfg, &out, newPipeListener().listen).run(t.Context())

		if took := time.Since(start); code != 7 || took != 13*time.Second {
			t.Errorf("exit code %d after %s, want 7 after 13s", code, took)
		}
		want := "line 1|line 2|nul \x00 and \x00 nul|tick 1|tick 2"
		if got := strings.Join(plainLines(out.String()), "|"); got != want {
			t.Errorf("lines %q, want %q", got, want)
		}
		if got := strings.Count(out.String(), "hello is listening"); got != 1 {
			t.Errorf("%d start lines:\n%s", got, out.String())
		}
	})
}

func TestRunStopsDuringTheStartDelay(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var out bytes.Buffer
		listen := func(string, string) (net.Listener, error) {
			t.Error("it listened")
			return nil, errors.New("refused")
		}
		start := time.Now()
		code := newProcess(config{startDelay: time.Hour, finalLine: "good bye"}, &out, listen).run(ctx)

		if took := time.Since(start); code != exitOK || took != time.Second {
			t.Errorf("exit code %d after %s, want 0 after 1s", code, took)
		}
		if got := plainLines(out.String()); len(got) != 1 || got[0] != "good bye" {
			t.Errorf("lines %q, want the final line", got)
		}
	})
}

func TestRunReportsThatItCannotListen(t *testing.T) {
	t.Parallel()

	var out bytes.Buffer
	listen := func(string, string) (net.Listener, error) { return nil, errors.New("address in use") }
	if code := newProcess(config{port: 5000}, &out, listen).run(t.Context()); code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	if !strings.Contains(out.String(), "address in use") {
		t.Errorf("output %q does not say why", out.String())
	}
}

func TestRunDrainsOpenRequests(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		request  func(t *testing.T, body io.Reader) *http.Request
		wantTook time.Duration
		wantBody string // end of the answer
		wantCut  bool
	}{
		"StreamEndsAtOnce": {
			request: func(t *testing.T, _ io.Reader) *http.Request {
				return mustRequest(t, http.MethodGet, "/stream?n=1000&interval=10s", nil)
			},
			wantBody: "event: end\ndata: stopping\n\n",
		},
		"StuckEchoIsCut": {
			request: func(t *testing.T, body io.Reader) *http.Request {
				return mustRequest(t, http.MethodPost, "/echo", body)
			},
			wantTook: 5 * time.Second,
			wantCut:  true,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var out bytes.Buffer
				listener := newPipeListener()
				exit := make(chan int, 1)
				go func() { exit <- newProcess(config{finalLine: "good bye"}, &out, listener.listen).run(ctx) }()

				body, feed := io.Pipe() // never ends by itself
				defer func() { _ = feed.Close() }()
				go func() { _, _ = io.WriteString(feed, "begin") }()
				defer func() { _ = body.Close() }() // frees the writer where nobody reads
				response, err := listener.client().Do(tc.request(t, body))
				if err != nil {
					t.Fatal(err)
				}
				answer := make(chan error, 1)
				var got []byte
				go func() {
					defer func() { _ = response.Body.Close() }()
					var err error
					got, err = io.ReadAll(response.Body)
					answer <- err
				}()
				synctest.Wait()

				start := time.Now()
				cancel()
				code := <-exit
				// Shutdown looks again after growing pauses: a little late is in time.
				if took := time.Since(start); code != exitOK || took < tc.wantTook || took > tc.wantTook+time.Second {
					t.Errorf("exit code %d after %s, want 0 after %s", code, took, tc.wantTook)
				}
				_ = feed.Close()
				if err := <-answer; (err != nil) != tc.wantCut {
					t.Errorf("answer ended with %v, want cut %v", err, tc.wantCut)
				}
				if !strings.HasSuffix(string(got), tc.wantBody) {
					t.Errorf("answer %q, want the end %q", got, tc.wantBody)
				}
				if !strings.HasSuffix(out.String(), "\ngood bye\n") {
					t.Errorf("the final line is not the last:\n%s", out.String())
				}
			})
		})
	}
}

func mustRequest(t *testing.T, method, path string, body io.Reader) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://hello"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	return request
}
