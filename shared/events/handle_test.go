package events_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/telemetry"
)

func TestHandleWithinTheEventsTrace(t *testing.T) {
	t.Parallel()

	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	event := events.NewPod(events.TypePodRequested, pods.ActorAPI, events.PodData{TenantID: "dev", PodID: "db", UID: "u"}, noon)
	telemetry.SetTraceparent(&event, "00-"+id+"-00f067aa0ba902b7-01")
	request, err := cloudevents.NewHTTPRequestFromEvent(t.Context(), "http://spawner/", event)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	answer := httptest.NewRecorder()
	got := ""
	events.Handle(answer, request, "spawner", slog.New(slog.NewTextHandler(&log, nil)), func(ctx context.Context, _ cloudevents.Event) error {
		got = telemetry.TraceID(ctx)
		return pods.Unavailable("the database is down", nil)
	})
	if got != id {
		t.Errorf("handled in trace %q, want %s", got, id)
	}
	if answer.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503", answer.Code)
	}
	if !strings.Contains(log.String(), "trace_id="+id) {
		t.Errorf("the log does not name the trace: %s", log.String())
	}
}

func TestHandleRefusesWhatIsNoEvent(t *testing.T) {
	t.Parallel()

	answer := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("hello"))
	events.Handle(answer, request, "spawner", slog.New(slog.DiscardHandler), func(context.Context, cloudevents.Event) error {
		t.Error("handled what is no event")
		return nil
	})
	if answer.Code != http.StatusBadRequest {
		t.Errorf("status %d, want 400", answer.Code)
	}
}

func TestHandlingIsMeasured(t *testing.T) {
	t.Parallel()

	registry := prometheus.NewRegistry()
	events.RegisterHandling(registry)
	event := events.NewPod(events.TypePodRequested, pods.ActorAPI, events.PodData{}, noon)
	request, err := cloudevents.NewHTTPRequestFromEvent(t.Context(), "http://measured/", event)
	if err != nil {
		t.Fatal(err)
	}
	events.Handle(httptest.NewRecorder(), request, "measured", slog.New(slog.DiscardHandler),
		func(context.Context, cloudevents.Event) error { return nil })
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]uint64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if label.GetName() == "function" && label.GetValue() == "measured" {
					found[family.GetName()] += metric.GetHistogram().GetSampleCount()
				}
			}
		}
	}
	if found["pods_event_handle_seconds"] != 1 || found["pods_event_wait_seconds"] != 1 {
		t.Errorf("measured %v, want one of each", found)
	}
}
