// Package web is what the hello server answers: a page, echoes and streams
// that show how a request arrives after it has passed a proxy.
package web

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

const (
	defaultWebSocketIdle = 5 * time.Minute
	maxMessageBytes      = 1 << 20
)

// Options configures a Server.
type Options struct {
	PodID   string       // name shown to visitors
	Version string       // version shown to visitors
	Logger  *slog.Logger // gets one line per request

	// WebSocketIdle is how long a WebSocket may be silent before it is closed.
	// Zero means five minutes.
	WebSocketIdle time.Duration
}

// Server answers the requests to one pod. It is an http.Handler. Create it
// with New.
type Server struct {
	options Options
	handler http.Handler

	stop     context.CancelFunc
	stopping context.Context // no call's context: it only tells that Stop was called
	sockets  sync.WaitGroup
}

// New returns a Server that serves until Stop.
func New(options Options) *Server {
	if options.WebSocketIdle == 0 {
		options.WebSocketIdle = defaultWebSocketIdle
	}
	s := &Server{options: options}
	s.stopping, s.stop = context.WithCancel(context.Background())

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.page)
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("/headers", s.headers)
	mux.HandleFunc("POST /echo", s.echo)
	mux.HandleFunc("GET /bytes", s.bytes)
	mux.HandleFunc("GET /stream", s.stream)
	mux.HandleFunc("/status/{code}", s.status)
	mux.HandleFunc("GET /ws", s.webSocket)
	s.handler = logged(options.Logger, mux)
	return s
}

// ServeHTTP answers one request and logs it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.handler.ServeHTTP(w, r)
}

// Stop ends event streams and WebSockets, which would otherwise last for as
// long as their client likes. Other requests go on. It may be called again.
func (s *Server) Stop() { s.stop() }

// Wait blocks until every WebSocket has ended after Stop: http.Server.Shutdown
// does not know of them. It returns ctx's error when ctx ends first.
func (s *Server) Wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		s.sockets.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// healthz serves GET /healthz.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	plain(w, http.StatusOK, "ok\n")
}

// plain answers with text. It is never guessed to be anything else, and never
// cached: these answers describe this moment.
func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // fails only when the client is gone
}
