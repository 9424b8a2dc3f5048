package server_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
)

// addDeadLetter stores one of a new event and returns it.
func (s *service) addDeadLetter(trigger string) events.DeadLetter {
	s.t.Helper()
	event := events.NewPod(events.TypePodRequested, pods.ActorAPI, events.Data(podstest.Pod()), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	letter := events.DeadLetter{Event: event, Trigger: trigger, Reason: "status 503: later", Attempts: 9}
	if err := s.store.AddDeadLetter(s.t.Context(), letter); err != nil {
		s.t.Fatal(err)
	}
	return letter
}

func TestListDeadLetters(t *testing.T) {
	t.Parallel()
	s := newService(t)
	admin := s.as("admin")
	if letters, err := admin.DeadLetters(t.Context(), 10); err != nil || letters == nil || len(letters) != 0 {
		t.Errorf("none = %v, %v; want an empty list", letters, err)
	}
	want := s.addDeadLetter("spawner")
	s.addDeadLetter("logs")

	letters, err := admin.DeadLetters(t.Context(), 10)
	if err != nil || len(letters) != 2 {
		t.Fatalf("list = %v, %v", letters, err)
	}
	i := slices.IndexFunc(letters, func(l client.DeadLetter) bool { return l.Trigger == "spawner" })
	got := letters[i]
	var data events.PodData
	if err := json.Unmarshal(got.Data, &data); err != nil || data.PodID != "docpod" {
		t.Errorf("data %s, %v", got.Data, err)
	}
	if got.EventID != want.Event.ID() || got.EventType != events.TypePodRequested || got.EventSource != "/pods/api" ||
		got.EventSubject != "dev/docpod" || !got.EventTime.Equal(want.Event.Time()) ||
		got.Reason != "status 503: later" || got.Attempts != 9 || got.FailedAt.IsZero() {
		t.Errorf("shown as %+v", got)
	}
	if letters, err := admin.DeadLetters(t.Context(), 1); err != nil || len(letters) != 1 {
		t.Errorf("limit 1 = %d, %v", len(letters), err)
	}
	for _, limit := range []string{"0", "1001", "-1", "ten", "1.5"} {
		if got := s.call("GET", "/v3/pods/dead-letters?limit="+limit, admin.Token(), ""); got.status != 400 ||
			!strings.Contains(got.messages()[0], "query, limit: limit must be a whole number from 1 to 1000") {
			t.Errorf("limit %s = %d %s", limit, got.status, got.envelope["message"])
		}
	}
}

func TestResendAndDeleteDeadLetters(t *testing.T) {
	t.Parallel()
	s := newService(t)
	ctx := t.Context()
	admin := s.as("admin")
	first, second := s.addDeadLetter("spawner").Event, s.addDeadLetter("logs").Event

	if got := s.call("POST", "/v3/pods/dead-letters/"+first.ID()+"/resend", admin.Token(), ""); got.status != 400 ||
		!strings.Contains(got.messages()[0], "query, trigger: trigger is required") {
		t.Errorf("resend for no Trigger = %d %s", got.status, got.envelope["message"])
	}
	wantStatus(t, admin.ResendDeadLetter(ctx, first.ID(), "logs"), 404, "There is no dead letter")
	if err := admin.ResendDeadLetter(ctx, first.ID(), "spawner"); err != nil {
		t.Fatal(err)
	}
	if got := podstest.Outbox(t, s.store); len(got) != 1 || got[0].ID() != first.ID() {
		t.Errorf("outbox = %v, want the event", got)
	}
	wantStatus(t, admin.ResendDeadLetter(ctx, first.ID(), "spawner"), 404, "There is no dead letter")
	if err := s.store.AddDeadLetter(ctx, events.DeadLetter{Event: first, Trigger: "spawner", Reason: "again", Attempts: 1}); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, admin.ResendDeadLetter(ctx, first.ID(), "spawner"), 409, "is still being delivered")

	if err := admin.DeleteDeadLetter(ctx, second.ID(), "logs"); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, admin.DeleteDeadLetter(ctx, second.ID(), "logs"), 404, "There is no dead letter")
	if letters, err := admin.DeadLetters(ctx, 10); err != nil || len(letters) != 1 || letters[0].EventID != first.ID() {
		t.Errorf("left = %v, %v", letters, err)
	}
}

// TestPoisonedEvent follows one through the broker of a single process: no
// retry helps, it is kept and listed, and is handled when it is sent again after
// what was wrong has been mended.
func TestPoisonedEvent(t *testing.T) {
	t.Parallel()

	ctx := t.Context()
	var mended atomic.Bool
	var attempts atomic.Int64
	handled := make(chan string, 1)
	spawner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		attempts.Add(1)
		if !mended.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		handled <- r.Header.Get("Ce-Id")
		w.WriteHeader(http.StatusAccepted)
	})
	var relay *events.Relay
	s := newService(t, podstest.WithCommitted(func(written []cloudevents.Event) { relay.Enqueue(written) }))
	logger := slog.New(slog.DiscardHandler)
	broker, err := events.NewBroker([]events.Trigger{{
		Name: "spawner", Subscriber: "spawner", Path: "/",
		Delivery: events.Delivery{Retry: 2, Timeout: time.Minute, DeadLetters: true},
	}}, map[string]http.Handler{"spawner": spawner}, s.store, events.BrokerOptions{Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	relay = events.NewRelay(s.store, broker, events.RelayOptions{Logger: logger})
	defer func() { _ = relay.Close(ctx) }()

	if _, err := s.as("alice").CreatePod(ctx, map[string]any{"pod_id": "docpod", "image": "nginx"}); err != nil {
		t.Fatal(err)
	}
	if err := relay.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	admin := s.as("admin")
	letters, err := admin.DeadLetters(ctx, 10)
	if err != nil || len(letters) != 1 || letters[0].EventSubject != "dev/docpod" || letters[0].Attempts != 3 || attempts.Load() != 3 {
		t.Fatalf("dead letters = %+v, %v, after %d attempts", letters, err, attempts.Load())
	}
	mended.Store(true)
	if err := admin.ResendDeadLetter(ctx, letters[0].EventID, letters[0].Trigger); err != nil {
		t.Fatal(err)
	}
	if id := <-handled; id != letters[0].EventID {
		t.Errorf("event %s was handled, want %s", id, letters[0].EventID)
	}
	if err := relay.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if letters, err := admin.DeadLetters(ctx, 10); err != nil || len(letters) != 0 {
		t.Errorf("left = %v, %v", letters, err)
	}
	if count, _, err := s.store.OutboxDepth(ctx); err != nil || count != 0 {
		t.Errorf("%d events wait in the outbox (%v)", count, err)
	}
}
