package rest

import (
	"bytes"
	"net/http"
	"time"
)

// Document is an answer that is no envelope, for a reader that wants it as it
// is.
type Document struct {
	ContentType string
	ETag        string // in quotes; a reader that names it is told that nothing has changed
	Body        []byte
}

// Respond is what Result.Respond takes.
func (d Document) Respond(w http.ResponseWriter, r *http.Request, _ string) int {
	header := w.Header()
	header.Set("Content-Type", d.ContentType)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-cache") // ask every time
	header.Set("ETag", d.ETag)
	recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
	http.ServeContent(recorder, r, "", time.Time{}, bytes.NewReader(d.Body))
	return recorder.status
}

// statusRecorder remembers the status of an answer.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (s *statusRecorder) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}
