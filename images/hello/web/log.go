package web

import (
	"log/slog"
	"net/http"
	"time"
)

// logged logs each request once it is answered. Only the path of the address
// is logged: queries, headers and bodies may hold secrets.
func logged(logger *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		path := r.URL.EscapedPath() // before the router changes it
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			logger.Info("request", "method", r.Method, "path", path,
				"status", recorder.status, "duration_ms", time.Since(start).Milliseconds())
		}()
		next.ServeHTTP(recorder, r)
	})
}

// statusRecorder remembers the status of an answer. Flushing, hijacking and
// full duplex reach the connection through Unwrap.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (s *statusRecorder) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController find the connection's own writer.
func (s *statusRecorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }
