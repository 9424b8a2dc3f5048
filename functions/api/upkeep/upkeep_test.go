package upkeep_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/pods-service/pods/functions/api/upkeep"
	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
)

// calls are objects that take down what is asked of them.
type calls struct {
	copied   []events.SnapshotDue
	measured int
	cleaned  int
	err      error
}

func (c *calls) CopyDue(_ context.Context, due events.SnapshotDue) error {
	c.copied = append(c.copied, due)
	return c.err
}

func (c *calls) Measure(context.Context) error {
	c.measured++
	return c.err
}

func (c *calls) CleanUp(context.Context) error {
	c.cleaned++
	return c.err
}

func send(t *testing.T, handler http.Handler, event cloudevents.Event) int {
	t.Helper()
	r, err := cloudevents.NewHTTPRequestFromEvent(t.Context(), "http://api.pods-service.svc.cluster.local/events", event)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w.Code
}

func TestEvents(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	due := events.SnapshotDue{TenantID: "dev", SnapshotID: "daily", DueAt: now}
	bad := events.NewSnapshotDue(pods.ActorHealth, events.SnapshotDue{}, now)
	tests := map[string]struct {
		event  cloudevents.Event
		err    error
		status int
	}{
		"Copy":       {events.NewSnapshotDue(pods.ActorHealth, due, now), nil, 202},
		"Gone":       {events.NewSnapshotDue(pods.ActorHealth, due, now), pods.NotFound("gone"), 202},
		"Later":      {events.NewSnapshotDue(pods.ActorHealth, due, now), pods.Unavailable("down", nil), 503},
		"NoSchedule": {bad, nil, 400},
		"Measure":    {events.NewVolumeMeasureDue(pods.ActorHealth, now), nil, 202},
		"CleanUp":    {events.NewVolumeCleanUpDue(pods.ActorHealth, now), nil, 202},
		"Other":      {events.NewLogsDue(pods.ActorHealth, now), nil, 202},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			made := &calls{err: tc.err}
			if got := send(t, upkeep.New(made, slog.New(slog.DiscardHandler)), tc.event); got != tc.status {
				t.Errorf("status %d, want %d", got, tc.status)
			}
			isCopy := name == "Copy" || name == "Gone" || name == "Later"
			if (len(made.copied) == 1 && made.copied[0] == due) != isCopy || (made.measured == 1) != (name == "Measure") || (made.cleaned == 1) != (name == "CleanUp") {
				t.Errorf("it came to %+v", made)
			}
		})
	}
}

// TestWithinCluster: nobody outside can have a copy made, or disks searched.
func TestWithinCluster(t *testing.T) {
	t.Parallel()
	handler := upkeep.WithinCluster(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }))
	for host, want := range map[string]int{
		"api.pods-service.svc.cluster.local": 202, "api.pods-service.svc.cluster.local:80": 202, "api.pods-service.svc": 202,
		"pods.example.org": 404, "localhost:8080": 404, "svc.cluster.local.example.org": 404, "": 404,
	} {
		r := httptest.NewRequest(http.MethodPost, "/events", nil)
		r.Host = host
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("at %q %d, want %d", host, w.Code, want)
		}
	}
	mapped := httptest.NewRequest(http.MethodPost, "/events", nil)
	mapped.Host = "api.pods-service.svc.cluster.local"
	mapped.Header["K-Original-Host"] = []string{"pods.example.org", "api.pods-service.svc.cluster.local"}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, mapped)
	if w.Code != http.StatusNotFound {
		t.Errorf("from outside %d, want 404", w.Code)
	}
}
