package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/postgres"
)

func unsent(t *testing.T, store *postgres.Store, olderThan time.Duration, limit int) []cloudevents.Event {
	t.Helper()
	claimed, err := store.UnsentEvents(t.Context(), olderThan, limit)
	if err != nil {
		t.Fatalf("UnsentEvents: %v", err)
	}
	return claimed
}

func TestOutbox(t *testing.T) {
	t.Parallel()

	clock := podstest.NewClock()
	store := podstest.Store(t, podstest.WithClock(clock))
	for i := range 5 {
		podstest.Create(t, store, podstest.ID(fmt.Sprintf("pod%d", i)))
		clock.Advance(time.Second)
	}
	written := podstest.Outbox(t, store)

	if got := unsent(t, store, time.Minute, 10); len(got) != 0 {
		t.Errorf("%d events are a minute old, want none", len(got))
	}
	first := unsent(t, store, 3*time.Second, 2)
	wantSame(t, "the two oldest", first, written[:2])
	wantSame(t, "the rest of those that are 3 s old", unsent(t, store, 3*time.Second, 10), written[2:3])
	if got := unsent(t, store, 3*time.Second, 10); len(got) != 0 {
		t.Errorf("%d events were claimed twice", len(got))
	}

	if err := store.MarkSent(t.Context(), []string{first[0].ID(), "unknown"}); err != nil {
		t.Fatalf("MarkSent: %v", err)
	}
	count, oldest, err := store.OutboxDepth(t.Context())
	if err != nil || count != 4 || oldest != 4*time.Second {
		t.Errorf("OutboxDepth = %d, %v, %v; want 4 events, the oldest 4 s", count, oldest, err)
	}

	clock.Advance(30 * time.Second) // the relay that has claimed them died
	wantSame(t, "what counts as unsent again", unsent(t, store, 0, 10), written[1:])

	if err := store.MarkSent(t.Context(), ids(written)); err != nil {
		t.Fatalf("MarkSent: %v", err)
	}
	clock.Advance(time.Hour)
	if got := unsent(t, store, 0, 10); len(got) != 0 {
		t.Errorf("%d sent events are unsent", len(got))
	}
	if count, oldest, err := store.OutboxDepth(t.Context()); err != nil || count != 0 || oldest != 0 {
		t.Errorf("OutboxDepth = %d, %v, %v; want none", count, oldest, err)
	}
}

// TestUnsentEventsAtOnce has relays share the events among them.
func TestUnsentEventsAtOnce(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	for i := range 20 {
		podstest.Create(t, store, podstest.ID(fmt.Sprintf("pod%d", i)))
	}
	claimed := make([][]cloudevents.Event, 4)
	relay := func(i int) func() error {
		return func() (err error) { claimed[i], err = store.UnsentEvents(t.Context(), 0, 8); return err }
	}
	for _, err := range atOnce(relay(0), relay(1), relay(2), relay(3)) {
		wantKind(t, "UnsentEvents", err, "")
	}
	seen := map[string]bool{}
	for _, part := range append(claimed, unsent(t, store, 0, 100)) {
		for _, event := range part {
			if seen[event.ID()] {
				t.Errorf("event %s was claimed twice", event.ID())
			}
			seen[event.ID()] = true
		}
	}
	if len(seen) != 20 {
		t.Errorf("%d events were claimed, want all 20", len(seen))
	}
}

// TestUnsentEventsDoNotWait has another relay in the midst of claiming.
func TestUnsentEventsDoNotWait(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	for i := range 3 {
		podstest.Create(t, store, podstest.ID(fmt.Sprintf("pod%d", i)))
	}
	other, err := podstest.Pool(t, store).Begin(t.Context())
	if err != nil {
		t.Fatalf("begin: %v", err)
	}
	defer func() { _ = other.Rollback(context.Background()) }()
	if _, err := other.Exec(t.Context(), "SELECT FROM outbox ORDER BY seq LIMIT 1 FOR UPDATE"); err != nil {
		t.Fatalf("lock an event: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	claimed, err := store.UnsentEvents(ctx, 0, 10)
	if err != nil {
		t.Fatalf("UnsentEvents: %v", err)
	}
	wantSame(t, "what the other leaves", ids(claimed), ids(podstest.Outbox(t, store))[1:])
}

func TestPruneOutbox(t *testing.T) {
	t.Parallel()

	clock := podstest.NewClock()
	store := podstest.Store(t, podstest.WithClock(clock))
	podstest.Create(t, store, podstest.ID("sent"))
	podstest.Create(t, store, podstest.ID("unsent"))
	written := podstest.Outbox(t, store)
	if err := store.MarkSent(t.Context(), ids(written[:1])); err != nil {
		t.Fatalf("MarkSent: %v", err)
	}
	letter := events.DeadLetter{Event: written[1], Trigger: "spawner", Reason: "it broke", Attempts: 3}
	if err := store.AddDeadLetter(t.Context(), letter); err != nil {
		t.Fatalf("AddDeadLetter: %v", err)
	}
	steps := []struct {
		after             time.Duration
		wantOutbox, wantD int
	}{
		{time.Hour, 2, 1},
		{time.Second, 1, 1},
		{31 * 24 * time.Hour, 1, 0}, // what was never sent stays
	}
	for _, step := range steps {
		clock.Advance(step.after)
		if err := store.PruneOutbox(t.Context()); err != nil {
			t.Fatalf("PruneOutbox: %v", err)
		}
		letters, err := store.DeadLetters(t.Context(), 10)
		if outbox := len(podstest.Outbox(t, store)); err != nil || outbox != step.wantOutbox || len(letters) != step.wantD {
			t.Errorf("%v later: %d events, %d dead letters (%v), want %d and %d", step.after, outbox, len(letters), err, step.wantOutbox, step.wantD)
		}
	}
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()

	clock := podstest.NewClock()
	store := podstest.Store(t, podstest.WithClock(clock))
	pod := podstest.Create(t, store)
	ours := podstest.Outbox(t, store)[0]
	tick := cloudevents.NewEvent()
	tick.SetID("tick-1")
	tick.SetType(events.TypeTick)
	tick.SetSource("/apis/v1/namespaces/pods/pingsources/tick")
	tick.SetExtension("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")

	first := events.DeadLetter{Event: ours, Trigger: "spawner", Reason: "a\x00b", Attempts: 1}
	again := events.DeadLetter{Event: ours, Trigger: "spawner", Reason: "503", Attempts: 6}
	other := events.DeadLetter{Event: ours, Trigger: "logs", Reason: "504", Attempts: 2}
	alien := events.DeadLetter{Event: tick, Trigger: "health", Reason: "500", Attempts: 4}
	var want []events.DeadLetter
	for _, letter := range []events.DeadLetter{first, again, other, alien} {
		if err := store.AddDeadLetter(t.Context(), letter); err != nil {
			t.Fatalf("AddDeadLetter: %v", err)
		}
		letter.FailedAt = clock.Now()
		want = append([]events.DeadLetter{letter}, want...)
		clock.Advance(time.Second)
	}
	want = want[:3] // the first was replaced
	got, err := store.DeadLetters(t.Context(), 10)
	if err != nil {
		t.Fatalf("DeadLetters: %v", err)
	}
	for i := range got { // the database keeps a document's meaning, not its form
		if i < len(want) && string(got[i].Event.Data()) != "" {
			var data events.PodData
			if err := got[i].Event.DataAs(&data); err != nil || data != events.Data(pod) {
				t.Errorf("letter %d has the data %v (%v)", i, data, err)
			}
			got[i].Event.DataEncoded = want[i].Event.DataEncoded
		}
	}
	wantSame(t, "dead letters, newest first", got, want)
	if got, err := store.DeadLetters(t.Context(), 1); err != nil || len(got) != 1 {
		t.Errorf("DeadLetters(1) returned %d (%v)", len(got), err)
	}
	for tenant, count := range map[string]int{"dev": 2, "": 1} {
		var stored int
		query := `SELECT count(*) FROM dead_letters WHERE tenant_id = $1`
		if err := podstest.Pool(t, store).QueryRow(t.Context(), query, tenant).Scan(&stored); err != nil || stored != count {
			t.Errorf("tenant %q has %d dead letters (%v), want %d", tenant, stored, err, count)
		}
	}
}

func TestResend(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	pod := podstest.Create(t, store)
	if err := store.Resend(t.Context(), events.TypePodRequested, pod.Ref()); err != nil {
		t.Fatalf("Resend: %v", err)
	}
	if err := store.DeletePod(t.Context(), pod.TenantID, pod.ID, allow); err != nil {
		t.Fatalf("DeletePod: %v", err)
	}
	wantKind(t, "Resend of a deleted pod", store.Resend(t.Context(), events.TypePodRequested, pod.Ref()), pods.KindConflict)
	stones, err := store.Tombstones(t.Context())
	if err != nil || len(stones) != 1 {
		t.Fatalf("Tombstones: %v, %v; want one", stones, err)
	}
	if err := store.ResendDeleted(t.Context(), stones[0]); err != nil {
		t.Fatalf("ResendDeleted: %v", err)
	}
	outbox := podstest.Outbox(t, store)
	wantSame(t, "events", podstest.Types(outbox), []string{
		events.TypePodRequested, events.TypePodRequested, events.TypePodDeleted, events.TypePodDeleted,
	})
	if outbox[0].ID() == outbox[1].ID() || outbox[2].ID() == outbox[3].ID() {
		t.Error("an event was written again under the same id")
	}
	var data events.PodData
	if err := outbox[3].DataAs(&data); err != nil || data.UID != pod.UID || data.K8sName != pod.K8sName {
		t.Errorf("the data of the deletion are %v (%v)", data, err)
	}
}

// TestNothingIsToldOfRollback has a transaction fail after it has written.
func TestNothingIsToldOfRollback(t *testing.T) {
	t.Parallel()

	var told []cloudevents.Event
	store := podstest.Store(t, podstest.WithCommitted(func(e []cloudevents.Event) { told = append(told, e...) }))
	pod := podstest.Create(t, store)
	// Actions are written last; this one no column can hold.
	_, err := store.ChangePod(t.Context(), pod.TenantID, pod.ID, podstest.Caller(),
		change(postgres.Change{Wish: pods.DesiredOff, Actions: []string{"a\x00b"}}))
	if err == nil {
		t.Fatal("ChangePod stored a NUL byte")
	}
	stored, _, err := store.Pod(t.Context(), pod.TenantID, pod.ID)
	if err != nil || stored.StatusRequested != pods.DesiredOn {
		t.Errorf("the pod is wanted %s (%v), want the change undone", stored.StatusRequested, err)
	}
	wantSame(t, "the events told of", len(told), 1)
	if told[0].Type() != events.TypePodRequested {
		t.Errorf("told of %s, want the creation alone", told[0].Type())
	}
}

// TestMarksAreLookedUp: what a mark costs does not depend on how many other
// events wait, also when the statistics are of a time in which none did.
func TestMarksAreLookedUp(t *testing.T) {
	t.Parallel()

	pool, err := postgres.Open(t.Context(), podstest.DatabaseURL(t), 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	for _, statement := range []string{
		`INSERT INTO outbox (tenant_id, event_id, event, created_at, sent_at) SELECT 'dev', 'sent' || i, '{}', now(), now() FROM generate_series(1, 5000) AS i`,
		`ANALYZE outbox`,
		`INSERT INTO outbox (tenant_id, event_id, event, created_at) SELECT 'dev', 'waits' || i, '{}', now() FROM generate_series(1, 5000) AS i`,
	} {
		if _, err := pool.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := pool.Query(t.Context(), "EXPLAIN "+postgres.MarkSentQuery, postgres.Named{"ids": []string{"waits1", "waits2"}, "now": time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if plan := strings.Join(lines, "\n"); !strings.Contains(plan, "outbox_event_id_key") || strings.Contains(plan, "outbox_unsent_idx") {
		t.Errorf("events are not looked up by their ids:\n%s", plan)
	}
}
