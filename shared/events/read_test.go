package events_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func podData(id string) events.PodData {
	return events.PodData{TenantID: "dev", PodID: id, UID: "uid-" + id, Instance: 1, K8sName: "pods-x-dev-" + id}
}

func TestReadBothModes(t *testing.T) {
	t.Parallel()

	sent := events.NewPod(events.TypePodRequested, pods.ActorAPI, podData("db"), noon)
	structured, err := sent.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := cloudevents.NewHTTPRequestFromEvent(t.Context(), "http://spawner/", sent)
	if err != nil {
		t.Fatal(err)
	}
	inOne := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(structured)))
	inOne.Header.Set("Content-Type", cloudevents.ApplicationCloudEventsJSON)

	for name, r := range map[string]*http.Request{"Binary": binary, "Structured": inOne} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			event, err := events.Read(httptest.NewRecorder(), r)
			if err != nil {
				t.Fatalf("Read: %v", err)
			}
			if event.ID() != sent.ID() || event.Type() != sent.Type() || event.Subject() != "dev/db" || !event.Time().Equal(noon) {
				t.Errorf("read %v, want %v", event, sent)
			}
			data, err := events.PodDataOf(event)
			if err != nil {
				t.Fatalf("PodDataOf: %v", err)
			}
			if diff := cmp.Diff(podData("db"), data); diff != "" {
				t.Errorf("data (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()

	valid := map[string]string{"Ce-Specversion": "1.0", "Ce-Id": "1", "Ce-Source": "/x", "Ce-Type": "t"}
	tests := map[string]struct {
		method  string
		headers map[string]string
		body    io.Reader
		want    pods.Kind
	}{
		"NotAnEvent":     {http.MethodPost, nil, strings.NewReader("{}"), pods.KindInvalid},
		"NoBody":         {http.MethodPost, nil, nil, pods.KindInvalid},
		"Get":            {http.MethodGet, valid, nil, pods.KindInvalid},
		"NoType":         {http.MethodPost, map[string]string{"Ce-Specversion": "1.0", "Ce-Id": "1", "Ce-Source": "/x"}, nil, pods.KindInvalid},
		"BadTime":        {http.MethodPost, map[string]string{"Ce-Specversion": "1.0", "Ce-Id": "1", "Ce-Source": "/x", "Ce-Type": "t", "Ce-Time": "noon"}, nil, pods.KindInvalid},
		"BrokenJSON":     {http.MethodPost, map[string]string{"Content-Type": cloudevents.ApplicationCloudEventsJSON}, strings.NewReader("{"), pods.KindInvalid},
		"Batch":          {http.MethodPost, map[string]string{"Content-Type": cloudevents.ApplicationCloudEventsBatchJSON}, strings.NewReader("[]"), pods.KindInvalid},
		"TooLarge":       {http.MethodPost, valid, strings.NewReader(strings.Repeat("x", 1<<20+1)), pods.KindTooLarge},
		"SenderWentAway": {http.MethodPost, valid, io.MultiReader(strings.NewReader("{"), brokenReader{}), pods.KindUnavailable},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			r := httptest.NewRequest(tc.method, "/", tc.body)
			for key, value := range tc.headers {
				r.Header.Set(key, value)
			}
			_, err := events.Read(httptest.NewRecorder(), r)
			if got := pods.KindOf(err); got != tc.want {
				t.Errorf("kind %q (%v), want %q", got, err, tc.want)
			}
		})
	}
}

func TestPodDataOfRefuses(t *testing.T) {
	t.Parallel()

	for name, data := range map[string]any{"Empty": nil, "Text": "db", "NoUID": map[string]string{"tenant_id": "dev", "pod_id": "db"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			event := events.NewPod(events.TypePodRequested, pods.ActorAPI, podData("db"), noon)
			if err := event.SetData(cloudevents.ApplicationJSON, data); err != nil {
				t.Fatal(err)
			}
			if _, err := events.PodDataOf(event); pods.KindOf(err) != pods.KindInvalid {
				t.Errorf("PodDataOf(%v): %v, want kind invalid", data, err)
			}
		})
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("connection reset") }
