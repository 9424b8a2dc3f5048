package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/faults"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/telemetry"
)

// closeTimeout bounds how long the end of a transaction may take once the
// caller has given up.
const closeTimeout = 5 * time.Second

// changes gathers statements, among them those of action lines and events, to be
// run in one round trip.
type changes struct {
	now    time.Time
	trace  string // traceparent of whoever makes the change, for its events
	batch  pgx.Batch
	events []cloudevents.Event
}

// tx is a transaction that runs what it has gathered before it commits.
type tx struct {
	pgx.Tx
	changes
}

func (s *Store) newChanges(ctx context.Context) changes {
	return changes{now: s.now(), trace: telemetry.Traceparent(ctx)}
}

// unlessGone returns a context with closeTimeout for what must not be broken off
// because the caller has gone: that would cost the pool a connection and leave it
// unknown whether a finished change was kept.
func unlessGone(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
}

// inTx runs fn in a transaction, commits it with what fn has gathered and then
// tells of the events. An error of fn rolls everything back and is returned as
// it is, translated when it is the driver's.
func (s *Store) inTx(ctx context.Context, fn func(*tx) error) error {
	begun, err := s.pool.Begin(ctx)
	if err != nil {
		return translate(err)
	}
	t := &tx{begun, s.newChanges(ctx)}
	closing, cancel := unlessGone(ctx)
	defer cancel()
	defer func() { _ = t.Rollback(closing) }() // does nothing after a commit

	if err := fn(t); err != nil {
		return translate(err)
	}
	if err := t.flush(ctx); err != nil {
		return translate(err)
	}
	faults.Point("store.before_commit")
	if err := t.Commit(closing); err != nil {
		return fmt.Errorf("commit: %w", translate(err))
	}
	s.announce(t.events)
	return nil
}

// atOnce runs what fn gathers as one transaction that needs a single round trip,
// where inTx needs three, and then tells of the events. It is for changes that
// read nothing first.
func (s *Store) atOnce(ctx context.Context, fn func(*changes) error) error {
	gathered := s.newChanges(ctx)
	if err := fn(&gathered); err != nil {
		return translate(err)
	}
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return translate(err)
	}
	defer conn.Release()
	closing, cancel := unlessGone(ctx)
	defer cancel()
	faults.Point("store.before_commit")
	if err := conn.SendBatch(closing, &gathered.batch).Close(); err != nil {
		return translate(err)
	}
	s.announce(gathered.events)
	return nil
}

// announce tells of the events of a change that has been committed.
func (s *Store) announce(committed []cloudevents.Event) {
	faults.Point("store.after_commit")
	if len(committed) > 0 {
		s.committed(committed)
	}
}

// flush runs what the batch has gathered so far.
func (t *tx) flush(ctx context.Context) error {
	batch := t.batch
	if batch.Len() == 0 {
		return nil
	}
	t.batch = pgx.Batch{}
	return t.SendBatch(ctx, &batch).Close()
}

// emit adds an event about pod to the outbox.
func (c *changes) emit(eventType string, by pods.Actor, pod pods.Pod) error {
	return c.emitData(eventType, by, events.Data(pod))
}

func (c *changes) emitData(eventType string, by pods.Actor, data events.PodData) error {
	return c.emitIn(c.trace, eventType, by, data)
}

// emitIn adds an event that belongs to the trace that traceparent names.
func (c *changes) emitIn(traceparent, eventType string, by pods.Actor, data events.PodData) error {
	event := events.NewPod(eventType, by, data, c.now)
	telemetry.SetTraceparent(&event, traceparent)
	return c.send(data.TenantID, event)
}

// send adds an event to the outbox.
func (c *changes) send(tenantID string, event cloudevents.Event) error {
	const query = `
		INSERT INTO outbox (tenant_id, event_id, event, created_at)
		VALUES (@tenant_id, @event_id, @event, @now)`

	document, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("encode event %s: %w", event.Type(), err)
	}
	c.batch.Queue(query, named{
		"tenant_id": tenantID, "event_id": event.ID(), "event": document, "now": c.now,
	})
	c.events = append(c.events, event)
	return nil
}

// log adds a line to the pod's action log. A line equal to the last one is
// skipped; past pods.MaxActionLogs the oldest but the first are dropped. The
// pod's row must be locked, so that line numbers are taken one at a time.
func (c *changes) log(tenantID, podID, text string) {
	const query = `
		WITH last AS (
			SELECT line, text FROM pod_actions
			WHERE tenant_id = @tenant_id AND pod_id = @pod_id
			ORDER BY line DESC LIMIT 1
		), added AS (
			INSERT INTO pod_actions (tenant_id, pod_id, line, occurred_at, text)
			SELECT @tenant_id, @pod_id, coalesce((SELECT line FROM last), 0) + 1, @now, @text
			WHERE (SELECT text FROM last) IS DISTINCT FROM @text
			RETURNING line
		)
		DELETE FROM pod_actions AS old USING added
		WHERE old.tenant_id = @tenant_id AND old.pod_id = @pod_id
			AND old.line > 1 AND old.line <= added.line - @kept::bigint`

	c.batch.Queue(query, named{
		"tenant_id": tenantID, "pod_id": podID, "text": text, "now": c.now,
		"kept": pods.MaxActionLogs - 1, // and the first
	})
}
