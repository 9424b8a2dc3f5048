// Package rest turns HTTP requests into typed calls and what they return into
// the JSON envelope that every answer of the API is wrapped in. It owns the
// REST column of the error table.
package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/pods-service/pods/shared/pods"
)

// The two values of Envelope.Status.
const (
	StatusSuccess = "success"
	StatusError   = "error"
)

// DefaultMessage is the message of a successful answer that has nothing more
// specific to say.
const DefaultMessage = "The request was successful"

// ContentType is the media type of every envelope. Clients compare it whole and
// treat a body with a charset parameter as a download, so it never carries one.
const ContentType = "application/json"

// internalMessage is all that a user learns of a fault inside the service.
const internalMessage = "Unexpected. The request failed inside the service."

// usualWait is how long a client is asked to wait when the error does not say it.
const usualWait = 5 * time.Second

// Envelope is the body of every JSON answer. All five keys are always present.
type Envelope struct {
	// Message is a string, or a []string with one item per invalid field.
	Message any `json:"message"`
	// Metadata is never null; a nil map is written as {}.
	Metadata map[string]any `json:"metadata"`
	// Result is null when there is none. A List is written item by item.
	Result any `json:"result"`
	// Status is StatusSuccess or StatusError.
	Status string `json:"status"`
	// Version is the version of the service that answers.
	Version string `json:"version"`
}

// Write sends the envelope with the given HTTP status. An empty Message becomes
// DefaultMessage on success and the status's own text otherwise.
//
// When Result or Metadata cannot be turned into JSON, Write sends the answer of
// an internal error instead and returns why, for the caller to log. A List that
// fails is answered by its error, and cut short when part of it has been sent
// already: see CutShort. A client that has gone away is not an error.
func (e Envelope) Write(w http.ResponseWriter, httpStatus int) error {
	if list, ok := e.Result.(List); ok {
		return e.writeList(w, httpStatus, list)
	}
	body, err := e.encode(httpStatus)
	if err != nil {
		httpStatus = http.StatusInternalServerError
		failed := Envelope{Message: internalMessage, Status: StatusError, Version: e.Version}
		body, _ = failed.encode(httpStatus) // strings alone: always encodes
		err = fmt.Errorf("encode answer: %w", err)
	}
	writeWhole(w, httpStatus, body)
	return err
}

// writeWhole sends an answer that is known to its end.
func writeWhole(w http.ResponseWriter, httpStatus int, body []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	writeHeader(w, httpStatus)
	_, _ = w.Write(body) // fails only when the client is gone
}

func writeHeader(w http.ResponseWriter, httpStatus int) {
	header := w.Header()
	header.Set("Content-Type", ContentType)
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(httpStatus)
}

func (e Envelope) encode(httpStatus int) ([]byte, error) {
	if e.Metadata == nil {
		e.Metadata = map[string]any{}
	}
	if e.Message == nil || e.Message == "" {
		e.Message = http.StatusText(httpStatus)
		if e.Status == StatusSuccess {
			e.Message = DefaultMessage
		}
	}
	var body bytes.Buffer
	if err := newEncoder(&body).Encode(e); err != nil {
		return nil, err
	}
	return body.Bytes(), nil
}

// newEncoder returns the encoder of answers. They are never read as HTML, and
// messages quote placeholders such as <TAPIS_x> that should stay readable.
func newEncoder(body *bytes.Buffer) *json.Encoder {
	encoder := json.NewEncoder(body)
	encoder.SetEscapeHTML(false)
	return encoder
}

// WriteResult answers a request that succeeded. A nil result is written as
// null; see Envelope.Write for an empty message and for the returned error.
func WriteResult(
	w http.ResponseWriter, httpStatus int, message string, metadata map[string]any, result any, version string,
) error {
	answer := Envelope{Message: message, Metadata: metadata, Result: result, Status: StatusSuccess, Version: version}
	return answer.Write(w, httpStatus)
}

// WriteError answers a request that failed, with the HTTP status of err's Kind
// and a null result. An invalid request with fields to blame gets a list of
// strings as its message, every other error one string, both without words that
// end sessions unless err is about the login. The text of an error
// that is not a *pods.Error, and every cause, stay hidden: the caller logs err.
//
// Answers with status 429 and 503 say when to come back; a Retry-After that is
// set already is kept.
func WriteError(w http.ResponseWriter, err error, version string) {
	status := HTTPStatus(err)
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		if w.Header().Get("Retry-After") == "" {
			w.Header().Set("Retry-After", RetryAfter(waitOf(err)))
		}
	}
	answer := Envelope{Message: errorMessage(err), Status: StatusError, Version: version}
	_ = answer.Write(w, status) // text alone: always encodes
}

// waitOf returns how long a client is to wait before it tries again.
func waitOf(err error) time.Duration {
	if e, ok := errors.AsType[*pods.Error](err); ok && e.RetryAfter > 0 {
		return e.RetryAfter
	}
	return usualWait
}

// HTTPStatus returns the status that answers err: 200 for nil, 500 for anything
// that has no Kind of its own.
func HTTPStatus(err error) int {
	switch pods.KindOf(err) {
	case "":
		return http.StatusOK
	case pods.KindInvalid:
		return http.StatusBadRequest
	case pods.KindUnauthenticated:
		return http.StatusUnauthorized
	case pods.KindForbidden:
		return http.StatusForbidden
	case pods.KindNotFound:
		return http.StatusNotFound
	case pods.KindConflict:
		return http.StatusConflict
	case pods.KindTooLarge:
		return http.StatusRequestEntityTooLarge
	case pods.KindExhausted:
		return http.StatusTooManyRequests
	case pods.KindUnavailable:
		return http.StatusServiceUnavailable
	case pods.KindTimeout:
		return http.StatusGatewayTimeout
	default:
		return http.StatusInternalServerError
	}
}

// errorMessage returns what the user may read of err: a string or a []string.
func errorMessage(err error) any {
	e, ok := errors.AsType[*pods.Error](err)
	if !ok || HTTPStatus(err) == http.StatusInternalServerError {
		return internalMessage
	}
	text := harmless
	if aboutLogin(err) {
		text = func(message string) string { return message }
	}
	if e.Kind != pods.KindInvalid || len(e.Fields) == 0 {
		return text(e.Message)
	}
	messages := make([]string, len(e.Fields))
	for i, field := range e.Fields {
		messages[i] = text(field.String())
	}
	return messages
}
