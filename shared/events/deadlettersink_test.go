package events_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/events"
)

// sendDeadLetter has the sink keep event as a Broker delivers it for a Trigger.
func sendDeadLetter(t *testing.T, letters events.DeadLetters, trigger string, event cloudevents.Event) int {
	t.Helper()
	triggers := []events.Trigger{{Name: "spawner", Delivery: events.Delivery{Retry: 8}}}
	mux := http.NewServeMux()
	mux.Handle("POST /dead-letters/{trigger}", events.NewDeadLetterSink(letters, triggers, silent))
	request, err := cloudevents.NewHTTPRequestFromEvent(t.Context(), "http://health/dead-letters/"+trigger, event)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, request)
	return w.Code
}

func TestDeadLetterSink(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		trigger  string
		code     any // of the last answer; nil leaves it out
		body     string
		reason   string
		attempts int
	}{
		"Outage":         {"spawner", 503, encoded("unavailable: later"), "status 503: unavailable: later", 9},
		"Poison":         {"spawner", 400, encoded("invalid: no pod"), "status 400: invalid: no pod", 1},
		"PlainBody":      {"spawner", 500, "not base64!", "status 500: not base64!", 9},
		"NoBody":         {"spawner", 500, "", "status 500", 9},
		"NoAnswer":       {"spawner", -1, encoded("dial tcp: refused"), "no answer: http://spawner/ dial tcp: refused", 9},
		"NothingNoted":   {"spawner", nil, "", "no answer: http://spawner/", 9},
		"UnknownTrigger": {"their-own", 503, "", "status 503", 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			event := requests(1)[0]
			event.SetExtension("traceparent", "kept")
			want := events.DeadLetter{Event: event.Clone(), Trigger: tc.trigger, Reason: tc.reason, Attempts: tc.attempts}
			event.SetExtension("knativearrivaltime", time.Now())
			event.SetExtension("knativeerrordest", "http://spawner/")
			event.SetExtension("knativeerrordata", tc.body)
			if tc.code != nil {
				event.SetExtension("knativeerrorcode", tc.code)
			}
			got := &letters{}
			if status := sendDeadLetter(t, got, tc.trigger, event); status != http.StatusAccepted {
				t.Errorf("status %d, want 202", status)
			}
			if diff := cmp.Diff([]events.DeadLetter{want}, got.kept); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
		})
	}
}

func encoded(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func TestDeadLetterSinkRefusals(t *testing.T) {
	t.Parallel()

	fails := &letters{err: errors.New("the database is away")}
	if status := sendDeadLetter(t, fails, "spawner", requests(1)[0]); status != http.StatusInternalServerError {
		t.Errorf("a letter that was not kept = %d, want 500, by which the broker tries again", status)
	}
	kept := &letters{}
	for _, trigger := range []string{"Spawner", "-", strings.Repeat("x", 254), "a_b"} {
		if status := sendDeadLetter(t, kept, trigger, requests(1)[0]); status != http.StatusBadRequest {
			t.Errorf("trigger %q = %d, want 400", trigger, status)
		}
	}
	if len(kept.kept) != 0 {
		t.Errorf("kept %v", kept.kept)
	}
}
