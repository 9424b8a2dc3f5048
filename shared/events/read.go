package events

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/pods-service/pods/shared/pods"
)

// maxEventBytes bounds the body of one event. Ours are a few hundred bytes.
const maxEventBytes = 1 << 20

// Read returns the one CloudEvent in r, in binary or structured mode, at most
// 1 MiB. It does not use the SDK's receiver, which can hand a message another
// request's context (cloudevents/sdk-go issues 691, 1224, 1332).
//
// Errors: KindTooLarge, KindInvalid for a request that holds no valid event,
// KindUnavailable when the body broke off.
func Read(w http.ResponseWriter, r *http.Request) (cloudevents.Event, error) {
	if r.Method != http.MethodPost {
		return cloudevents.Event{}, pods.Invalid("events are sent by POST, not %s", r.Method)
	}
	body, err := readBody(w, r)
	if err != nil {
		return cloudevents.Event{}, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	event, err := cloudevents.NewEventFromHTTPRequest(r)
	if err != nil {
		return cloudevents.Event{}, invalid("read event", err)
	}
	if err := event.Validate(); err != nil {
		return *event, invalid("check event", err)
	}
	return *event, nil
}

// readBody takes the whole body before it is parsed, so that a sender that went
// away is not mistaken for one that sent nonsense.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEventBytes))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, pods.TooLarge("an event may have at most %d bytes", maxEventBytes)
	}
	if err != nil {
		return nil, pods.Unavailable("the event's body broke off", err)
	}
	return body, nil
}

func invalid(message string, cause error) error {
	return &pods.Error{Kind: pods.KindInvalid, Message: message, Err: cause}
}

// PodDataOf returns the data of an event about a pod.
//
// Errors: KindInvalid when it is not the JSON of one, or names no pod.
func PodDataOf(event cloudevents.Event) (PodData, error) {
	var data PodData
	if err := event.DataAs(&data); err != nil {
		return PodData{}, invalid("read data of event "+event.ID(), err)
	}
	if data.TenantID == "" || data.PodID == "" || data.UID == "" {
		return PodData{}, pods.Invalid("event %s names no pod", event.ID())
	}
	return data, nil
}
