package web

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	maxBytes    = 1 << 30
	maxEvents   = 1000
	maxInterval = 10 * time.Second
)

// stream serves GET /stream: n server-sent events, the first one at once, each
// flushed, then an event named end.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	events, interval, err := streamOptions(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := flushWriter{w, http.NewResponseController(w)}
	reason := "done"
	for i := 1; i <= events; i++ {
		if i > 1 && !s.pause(r, interval) {
			reason = "stopping"
			break
		}
		if _, err := fmt.Fprintf(out, "id: %d\ndata: event %d of %d\n\n", i, i, events); err != nil {
			return // the client is gone
		}
	}
	_, _ = fmt.Fprintf(out, "event: end\ndata: %s\n\n", reason)
}

// pause waits for d. It returns false as soon as the client is gone or the
// server stops.
func (s *Server) pause(r *http.Request, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	case <-s.stopping.Done():
		return false
	}
}

func streamOptions(query url.Values) (events int, interval time.Duration, err error) {
	events, interval = 10, time.Second
	if text := query.Get("n"); text != "" {
		events, err = strconv.Atoi(text)
		if err != nil || events < 1 || events > maxEvents {
			return 0, 0, fmt.Errorf("n must be a number from 1 to %d", maxEvents)
		}
	}
	if text := query.Get("interval"); text != "" {
		interval, err = time.ParseDuration(text)
		if err != nil || interval < 0 || interval > maxInterval {
			return 0, 0, fmt.Errorf("interval must be a duration such as 250ms, at most %s", maxInterval)
		}
	}
	return events, interval, nil
}

// bytes serves GET /bytes: n pseudo-random bytes. The sequence is the same on
// every call, so that a client can tell whether all of it arrived.
func (s *Server) bytes(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseInt(r.URL.Query().Get("n"), 10, 64)
	if err != nil || n < 0 || n > maxBytes {
		http.Error(w, fmt.Sprintf("n must be a number from 0 to %d", maxBytes), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	w.Header().Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		return
	}
	source := io.LimitReader(rand.NewChaCha8([32]byte{}), n)
	_, _ = io.CopyBuffer(onlyWriter{w}, source, make([]byte, copyBuffer)) // fails only when the client is gone
}

// onlyWriter hides ReadFrom, which would copy in pieces of its own size.
type onlyWriter struct{ io.Writer }
