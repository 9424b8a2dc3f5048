package spawn_test

import (
	"net/http"
	"testing"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/manifests"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/telemetry"
)

// TestPodNamesItsRequest sees that what health needs later is on the pod.
func TestPodNamesItsRequest(t *testing.T) {
	t.Parallel()

	const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	pod := testPod(nil)
	w := newWorld(&pod)
	event := events.NewPod(events.TypePodRequested, pods.ActorAPI, events.Data(pod), testNow)
	telemetry.SetTraceparent(&event, traceparent)
	if got := w.send(t, event); got != http.StatusAccepted {
		t.Fatalf("acknowledged with %d", got)
	}
	annotations := w.cluster.made[0].Pod.Annotations
	if got := annotations[manifests.AnnotationTraceparent]; got != traceparent {
		t.Errorf("traceparent = %q, want %s", got, traceparent)
	}
	if got, want := annotations[manifests.AnnotationRequestedAt], "2026-01-02T03:04:05Z"; got != want {
		t.Errorf("requested at %q, want %s", got, want)
	}
}
