package postgres_test

import (
	"testing"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/telemetry"
)

// TestEventsNameTheTraceOfTheirChange creates a pod within one trace, and moves
// it within another.
func TestEventsNameTheTraceOfTheirChange(t *testing.T) {
	t.Parallel()

	const request = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	const other = "00-0af7651916cd43dd8448eb211c80319c-2222222222222222-01"
	store := podstest.Store(t)
	ctx := telemetry.Continue(t.Context(), request)
	pod, err := store.CreatePod(ctx, podstest.Pod(), pods.NewCredentials("db"), "alice")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.ClaimPod(t.Context(), pod.Ref()); err != nil {
		t.Fatal(err)
	}
	move := pods.Move{Ref: pod.Ref(), By: pods.ActorSpawner, To: pods.StatusCreating, Traceparent: other}
	if _, err := store.Move(ctx, move); err != nil {
		t.Fatal(err)
	}
	want := []any{request, nil, other}
	written := podstest.Outbox(t, store)
	if len(written) != len(want) {
		t.Fatalf("%d events, want %d", len(written), len(want))
	}
	for i, event := range written {
		if got := event.Extensions()["traceparent"]; got != want[i] {
			t.Errorf("%s has the traceparent %v, want %v", event.Type(), got, want[i])
		}
	}
}
