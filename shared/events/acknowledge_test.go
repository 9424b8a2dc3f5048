package events_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
)

func TestAckStatus(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		err  error
		want int
	}{
		"Done":            {nil, http.StatusAccepted},
		"PodGone":         {pods.NotFound("pod db"), http.StatusAccepted},
		"NewerStateWon":   {fmt.Errorf("claim: %w", pods.Conflict("pod db")), http.StatusAccepted},
		"BadEvent":        {pods.Invalid("no pod ID"), http.StatusBadRequest},
		"TooLarge":        {pods.TooLarge("event"), http.StatusBadRequest},
		"Forbidden":       {pods.Forbidden("no"), http.StatusBadRequest},
		"Unauthenticated": {pods.Unauthenticated("no"), http.StatusBadRequest},
		"QuotaUsedUp":     {pods.Exhausted("pods"), http.StatusServiceUnavailable},
		"WrappedOutage":   {fmt.Errorf("claim: %w", pods.Unavailable("postgres", nil)), http.StatusServiceUnavailable},
		"Timeout":         {pods.Timeout("kubernetes", nil), http.StatusServiceUnavailable},
		"Unknown":         {errors.New("boom"), http.StatusInternalServerError},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if got := events.AckStatus(tc.err); got != tc.want {
				t.Errorf("AckStatus(%v) = %d, want %d", tc.err, got, tc.want)
			}
		})
	}
}

func TestAcknowledge(t *testing.T) {
	t.Parallel()

	outage := pods.Unavailable("the database cannot be reached", errors.New("dial 10.0.0.7"))
	tests := map[string]struct {
		err       error
		wantBody  string
		wantLevel string
	}{
		"Done":   {nil, "", "DEBUG"},
		"Gone":   {pods.NotFound("pod db"), "", "DEBUG"},
		"Bad":    {pods.Invalid("no pod ID"), "invalid: no pod ID", "ERROR"},
		"Outage": {outage, "unavailable: the database cannot be reached", "WARN"},
		"Bug":    {errors.New("password is x"), "internal", "ERROR"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var log bytes.Buffer
			logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			event := events.NewPod(events.TypePodRequested, pods.ActorAPI, podData("db"), noon)
			w := httptest.NewRecorder()
			events.Acknowledge(w, httptest.NewRequest(http.MethodPost, "/", nil), logger, event, tc.err)

			if w.Code != events.AckStatus(tc.err) || w.Body.String() != tc.wantBody {
				t.Errorf("answered %d %q, want %d %q", w.Code, w.Body, events.AckStatus(tc.err), tc.wantBody)
			}
			if lines := strings.Count(log.String(), "\n"); lines != 1 {
				t.Errorf("logged %d lines, want 1:\n%s", lines, &log)
			}
			if !strings.Contains(log.String(), "level="+tc.wantLevel) || !strings.Contains(log.String(), event.ID()) {
				t.Errorf("log lacks level %s or the event's id: %s", tc.wantLevel, &log)
			}
		})
	}
}
