package events

import (
	"fmt"
	"net/http"
	"strings"
)

// maxReasonBytes is how much of a refusal is kept, as Knative keeps it.
const maxReasonBytes = 1 << 10

// answer is how a subscriber answered one delivery; err is set when it did not.
type answer struct {
	status int // 0 for no answer
	body   string
	err    error
}

func (a answer) acknowledged() bool { return a.err == nil && a.status >= 200 && a.status <= 299 }

// retryable holds Knative's rule: no answer, server errors and the four client
// errors that may pass.
func (a answer) retryable() bool {
	switch a.status {
	case 0, http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return true
	}
	return a.status >= 500
}

// Error makes an answer the cause of an error. It is what String says.
func (a answer) Error() string { return a.String() }

// Unwrap returns why there was no answer.
func (a answer) Unwrap() error { return a.err }

// String says why the delivery failed.
func (a answer) String() string {
	switch {
	case a.err != nil:
		return clip("no answer: " + a.err.Error())
	case a.body == "":
		return fmt.Sprintf("status %d", a.status)
	}
	return clip(fmt.Sprintf("status %d: %s", a.status, a.body))
}

func clip(text string) string {
	if len(text) > maxReasonBytes {
		text = text[:maxReasonBytes]
	}
	return strings.ToValidUTF8(text, "")
}

// recorder takes a handler's response and keeps the start of its body.
type recorder struct {
	header http.Header
	status int
	body   []byte
}

func newRecorder() *recorder { return &recorder{header: http.Header{}} }

// Header implements http.ResponseWriter.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader keeps the first final status.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
}

// Write never fails.
func (r *recorder) Write(data []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	if room := maxReasonBytes - len(r.body); room > 0 {
		r.body = append(r.body, data[:min(room, len(data))]...)
	}
	return len(data), nil
}

// answer reads a success with a body as a bad gateway: a Knative Broker does so
// with a body that is no event, and our functions reply with none.
func (r *recorder) answer() answer {
	r.WriteHeader(http.StatusOK)
	got := answer{status: r.status, body: string(r.body)}
	if got.acknowledged() && got.body != "" {
		return answer{status: http.StatusBadGateway, body: "a success must have no body: " + got.body}
	}
	return got
}
