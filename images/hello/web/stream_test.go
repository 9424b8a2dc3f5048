package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/images/hello/web"
)

func TestStreamOptions(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		query string
		want  int
	}{
		"Few":          {"n=2&interval=0s", 200},
		"Most":         {"n=1000&interval=0", 200},
		"None":         {"n=0", 400},
		"TooMany":      {"n=1001", 400},
		"NoNumber":     {"n=x", 400},
		"TooSlow":      {"n=1&interval=10001ms", 400},
		"Backwards":    {"n=1&interval=-1s", 400},
		"WithoutUnit":  {"n=1&interval=5", 400},
		"LongestPause": {"n=1&interval=10s", 200},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if got := answer(t, http.MethodGet, "/stream?"+tc.query, nil); got.Code != tc.want {
				t.Errorf("status %d (%q), want %d", got.Code, got.Body, tc.want)
			}
		})
	}
}

// flushTimes records how much had been written at each flush, and when.
type flushTimes struct {
	*httptest.ResponseRecorder
	start time.Time
	seen  []string
}

func (f *flushTimes) FlushError() error {
	f.seen = append(f.seen, fmt.Sprintf("%s %d", time.Since(f.start), strings.Count(f.Body.String(), "\n\n")))
	return nil
}

func TestStreamFlushesEachEventInTime(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		out := &flushTimes{ResponseRecorder: httptest.NewRecorder(), start: time.Now()}
		newServer(web.Options{}).ServeHTTP(out, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/stream?n=3&interval=2s", nil))

		// Three events, then the end at once.
		if diff := cmp.Diff([]string{"0s 1", "2s 2", "4s 3", "4s 4"}, out.seen); diff != "" {
			t.Errorf("flushes, as time and events (-want +got):\n%s", diff)
		}
		want := "id: 1\ndata: event 1 of 3\n\nid: 2\ndata: event 2 of 3\n\nid: 3\ndata: event 3 of 3\n\nevent: end\ndata: done\n\n"
		if diff := cmp.Diff(want, out.Body.String()); diff != "" {
			t.Errorf("stream (-want +got):\n%s", diff)
		}
	})
}

func TestStreamEndsEarly(t *testing.T) {
	t.Parallel()

	tests := map[string]func(server *web.Server, cancel context.CancelFunc){
		"ServerStops": func(server *web.Server, _ context.CancelFunc) { server.Stop() },
		"ClientLeft":  func(_ *web.Server, cancel context.CancelFunc) { cancel() },
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				server := newServer(web.Options{})
				start := time.Now()
				time.AfterFunc(15*time.Second, func() { end(server, cancel) })
				out := httptest.NewRecorder()
				server.ServeHTTP(out, httptest.NewRequestWithContext(ctx, http.MethodGet, "/stream?n=1000&interval=10s", nil))

				if got := time.Since(start); got != 15*time.Second {
					t.Errorf("the stream ended after %s, want 15s", got)
				}
				if got := strings.Count(out.Body.String(), "id: "); got != 2 {
					t.Errorf("%d events in 15 s at one every 10 s, want 2", got)
				}
			})
		})
	}
}
