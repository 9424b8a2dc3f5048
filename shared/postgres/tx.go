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

// tx is a transaction that gathers action lines and events and writes them,
// in one round trip, before it commits.
type tx struct {
	pgx.Tx
	now    time.Time
	trace  string // traceparent of whoever makes the change, for its events
	batch  pgx.Batch
	events []cloudevents.Event
}

// inTx runs fn in a transaction, commits it with what fn has gathered and then
// tells of the events. An error of fn rolls everything back and is returned as
// it is, translated when it is the driver's.
func (s *Store) inTx(ctx context.Context, fn func(*tx) error) error {
	begun, err := s.pool.Begin(ctx)
	if err != nil {
		return translate(err)
	}
	t := &tx{Tx: begun, now: s.now(), trace: telemetry.Traceparent(ctx)}
	// A caller who has gone must not cost the pool a connection, nor leave it
	// unknown whether a finished change was kept.
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
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
	faults.Point("store.after_commit")
	if len(t.events) > 0 {
		s.committed(t.events)
	}
	return nil
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
func (t *tx) emit(eventType string, by pods.Actor, pod pods.Pod) error {
	return t.emitData(eventType, by, events.Data(pod))
}

func (t *tx) emitData(eventType string, by pods.Actor, data events.PodData) error {
	return t.emitIn(t.trace, eventType, by, data)
}

// emitIn adds an event that belongs to the trace that traceparent names.
func (t *tx) emitIn(traceparent, eventType string, by pods.Actor, data events.PodData) error {
	event := events.NewPod(eventType, by, data, t.now)
	telemetry.SetTraceparent(&event, traceparent)
	return t.send(data.TenantID, event)
}

// send adds an event to the outbox.
func (t *tx) send(tenantID string, event cloudevents.Event) error {
	const query = `
		INSERT INTO outbox (tenant_id, event_id, event, created_at)
		VALUES (@tenant_id, @event_id, @event, @now)`

	document, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("encode event %s: %w", event.Type(), err)
	}
	t.batch.Queue(query, named{
		"tenant_id": tenantID, "event_id": event.ID(), "event": document, "now": t.now,
	})
	t.events = append(t.events, event)
	return nil
}

// log adds a line to the pod's action log. A line equal to the last one is
// skipped; past pods.MaxActionLogs the oldest but the first are dropped. The
// pod's row must be locked, so that line numbers are taken one at a time.
func (t *tx) log(tenantID, podID, text string) {
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

	t.batch.Queue(query, named{
		"tenant_id": tenantID, "pod_id": podID, "text": text, "now": t.now,
		"kept": pods.MaxActionLogs - 1, // and the first
	})
}
