package server

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
)

// drain lets what is open come to its end within DrainTimeout, then cuts it.
func (s *Server) drain(servers []*http.Server, cut func()) {
	ctx, cancel := context.WithTimeout(context.Background(), s.options.DrainTimeout)
	defer cancel()
	var group sync.WaitGroup
	for _, server := range servers {
		group.Go(func() { _ = server.Shutdown(ctx) }) // ends early only with ctx, which is seen below
	}
	group.Wait()
	// Shutdown does not wait for connections that were upgraded.
	if s.active.wait(ctx) {
		return
	}
	s.options.Logger.Warn("connections cut at the end of the time to drain",
		slog.Int("requests", s.active.open()), slog.Duration("drain_timeout", s.options.DrainTimeout))
	cut()
	for _, server := range servers {
		_ = server.Close()
	}
	ctx, cancel = context.WithTimeout(context.Background(), abortTimeout)
	defer cancel()
	s.active.wait(ctx)
}

// active counts the requests being handled. An upgraded connection is one of
// them until both sides have hung up, and so is a stream.
type active struct {
	mu       sync.Mutex
	requests int
	// idle is closed when there is none; it is replaced when one comes.
	idle chan struct{}
}

func newActive() *active {
	idle := make(chan struct{})
	close(idle)
	return &active{idle: idle}
}

// count returns handler with its requests counted.
func (a *active) count(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.begin()
		defer a.end()
		handler.ServeHTTP(w, r)
	})
}

func (a *active) begin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.requests == 0 {
		a.idle = make(chan struct{})
	}
	a.requests++
}

func (a *active) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests--
	if a.requests == 0 {
		close(a.idle)
	}
}

func (a *active) open() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.requests
}

// wait reports whether there was no request left before ctx ended.
func (a *active) wait(ctx context.Context) bool {
	a.mu.Lock()
	idle := a.idle
	a.mu.Unlock()
	select {
	case <-idle:
		return true
	default:
	}
	select {
	case <-idle:
		return true
	case <-ctx.Done():
		return false
	}
}
