package postgres_test

import (
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
)

func TestResendDeadLetter(t *testing.T) {
	t.Parallel()

	ctx := t.Context()
	clock := podstest.NewClock()
	var told []cloudevents.Event
	store := podstest.Store(t, podstest.WithClock(clock),
		podstest.WithCommitted(func(written []cloudevents.Event) { told = append(told, written...) }))
	podstest.Create(t, store)
	event := podstest.Outbox(t, store)[0]
	letter := events.DeadLetter{Event: event, Trigger: "spawner", Reason: "status 503", Attempts: 9}
	for _, name := range []string{"spawner", "logs"} {
		letter.Trigger = name
		if err := store.AddDeadLetter(ctx, letter); err != nil {
			t.Fatal(err)
		}
	}

	wantKind(t, "resend of an event that is still being delivered", store.ResendDeadLetter(ctx, event.ID(), "spawner"), pods.KindConflict)
	if letters, err := store.DeadLetters(ctx, 10); err != nil || len(letters) != 2 {
		t.Fatalf("%d dead letters after a refusal (%v), want both", len(letters), err)
	}
	if err := store.MarkSent(ctx, []string{event.ID()}); err != nil {
		t.Fatal(err)
	}
	told = nil
	clock.Advance(time.Minute)
	if err := store.ResendDeadLetter(ctx, event.ID(), "spawner"); err != nil {
		t.Fatal(err)
	}
	wantSame(t, "events told of", told, []cloudevents.Event{event})
	wantSame(t, "events to be sent", unsent(t, store, 0, 10), []cloudevents.Event{event})
	if got := unsent(t, store, time.Second, 10); len(got) != 0 {
		t.Errorf("an event sent again counts as old: %v", got)
	}
	letters, err := store.DeadLetters(ctx, 10)
	if err != nil || len(letters) != 1 || letters[0].Trigger != "logs" {
		t.Errorf("dead letters left = %v, %v; want that of the other Trigger", letters, err)
	}
	wantKind(t, "second resend", store.ResendDeadLetter(ctx, event.ID(), "spawner"), pods.KindNotFound)
}

// TestResendOfWhatIsInNoOutbox: events that health sends by itself, and those
// of long ago, have no row.
func TestResendOfWhatIsInNoOutbox(t *testing.T) {
	t.Parallel()

	ctx := t.Context()
	store := podstest.Store(t)
	event := events.NewPod(events.TypePodLogsDue, pods.ActorHealth, events.Data(podstest.Pod()), time.Now())
	letter := events.DeadLetter{Event: event, Trigger: "logs", Reason: "status 500", Attempts: 6}
	if err := store.AddDeadLetter(ctx, letter); err != nil {
		t.Fatal(err)
	}
	errs := atOnce(
		func() error { return store.ResendDeadLetter(ctx, event.ID(), "logs") },
		func() error { return store.ResendDeadLetter(ctx, event.ID(), "logs") },
	)
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Errorf("two at once = %v, want one to win", errs)
	}
	if got := podstest.Outbox(t, store); len(got) != 1 || got[0].ID() != event.ID() {
		t.Errorf("outbox = %v, want the event once", got)
	}
	if n := countEvents(t, store, podstest.Pod().TenantID); n != 1 {
		t.Errorf("%d events of the pod's tenant, want 1", n)
	}
}

func TestDeleteDeadLetter(t *testing.T) {
	t.Parallel()

	ctx := t.Context()
	store := podstest.Store(t)
	event := events.NewPod(events.TypePodLogsDue, pods.ActorHealth, events.Data(podstest.Pod()), time.Now())
	for _, name := range []string{"spawner", "logs"} {
		if err := store.AddDeadLetter(ctx, events.DeadLetter{Event: event, Trigger: name, Reason: "x", Attempts: 1}); err != nil {
			t.Fatal(err)
		}
	}
	wantKind(t, "delete of an unknown event", store.DeleteDeadLetter(ctx, "unknown", "logs"), pods.KindNotFound)
	wantKind(t, "delete for an unknown Trigger", store.DeleteDeadLetter(ctx, event.ID(), "unknown"), pods.KindNotFound)
	if err := store.DeleteDeadLetter(ctx, event.ID(), "logs"); err != nil {
		t.Fatal(err)
	}
	letters, err := store.DeadLetters(ctx, 10)
	if err != nil || len(letters) != 1 || letters[0].Trigger != "spawner" {
		t.Errorf("dead letters left = %v, %v", letters, err)
	}
	if got := podstest.Outbox(t, store); len(got) != 0 {
		t.Errorf("a deleted dead letter was sent: %v", got)
	}
}
