package events

import (
	"errors"
	"io"
	"log/slog"
	"net/http"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/telemetry"
)

// AckStatus returns the HTTP status that tells a broker what to do with an
// event whose handling returned err. It differs from what REST says: a broker
// delivers again on 5xx, 404, 408, 409 and 429, and on nothing else.
func AckStatus(err error) int {
	switch pods.KindOf(err) {
	case "", pods.KindNotFound, pods.KindConflict:
		return http.StatusAccepted // done, or there is nothing left to do
	case pods.KindInvalid, pods.KindTooLarge, pods.KindUnauthenticated, pods.KindForbidden:
		return http.StatusBadRequest // never going to work
	case pods.KindExhausted, pods.KindUnavailable, pods.KindTimeout:
		return http.StatusServiceUnavailable // later
	}
	return http.StatusInternalServerError // later, and somebody should look
}

// Acknowledge ends the handling of event: it logs the outcome once and writes
// the status. Success has an empty body, since a body that is no CloudEvent
// makes a broker take the delivery for failed. A refusal says why in a line of
// text, which the broker keeps with the dead letter; causes stay in the log.
func Acknowledge(w http.ResponseWriter, r *http.Request, logger *slog.Logger, event cloudevents.Event, err error) {
	status := AckStatus(err)
	attrs := ackAttrs(event, status, err)
	if trace := telemetry.TraceID(r.Context()); trace != "" {
		attrs = append(attrs, slog.String("trace_id", trace))
	}
	logger.LogAttrs(r.Context(), ackLevel(err), "event handled", attrs...)
	if status == http.StatusAccepted {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, refusal(err)) // the status alone decides
}

func ackLevel(err error) slog.Level {
	switch AckStatus(err) {
	case http.StatusAccepted:
		return slog.LevelDebug
	case http.StatusServiceUnavailable:
		return slog.LevelWarn
	}
	return slog.LevelError
}

func ackAttrs(event cloudevents.Event, status int, err error) []slog.Attr {
	attrs := []slog.Attr{
		slog.String("event_id", event.ID()),
		slog.String("event_type", event.Type()),
		slog.String("event_source", event.Source()),
		slog.String("event_subject", event.Subject()),
		slog.Int("status", status),
	}
	if err != nil {
		attrs = append(attrs, slog.String("kind", string(pods.KindOf(err))), slog.Any("error", err))
	}
	return attrs
}

// refusal is what the sender is told: never the cause.
func refusal(err error) string {
	if known, ok := errors.AsType[*pods.Error](err); ok {
		return string(known.Kind) + ": " + known.Message
	}
	return string(pods.KindInternal)
}
