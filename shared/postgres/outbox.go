package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/jackc/pgx/v5"
)

const (
	// claimTime is how long a relay has for the events it has claimed.
	claimTime = 30 * time.Second
	// keepSent is how long events stay for watchers once they were sent.
	keepSent = time.Hour
	// keepDead is how long dead letters can be looked at.
	keepDead = 30 * 24 * time.Hour
	// pruneLimit is how many rows of a table one PruneOutbox removes at most.
	pruneLimit = 10_000
)

// UnsentEvents claims at most limit events that were written at least
// olderThan ago and not marked as sent, and returns them oldest first. For 30 s
// nobody else gets them; after that they count as not sent.
func (s *Store) UnsentEvents(ctx context.Context, olderThan time.Duration, limit int) ([]cloudevents.Event, error) {
	const query = `
		WITH due AS (
			SELECT seq FROM outbox
			WHERE sent_at IS NULL AND created_at <= @written_by AND (claimed_until IS NULL OR claimed_until <= @now)
			ORDER BY seq LIMIT @limit FOR UPDATE SKIP LOCKED
		), claimed AS (
			UPDATE outbox SET claimed_until = @claimed_until FROM due WHERE outbox.seq = due.seq
			RETURNING outbox.seq, outbox.event
		)
		SELECT event FROM claimed ORDER BY seq`

	now := s.now()
	rows, err := s.pool.Query(ctx, query, pgx.StrictNamedArgs{
		"now": now, "written_by": now.Add(-olderThan), "claimed_until": now.Add(claimTime), "limit": limit,
	})
	if err != nil {
		return nil, fmt.Errorf("claim unsent events: %w", translate(err))
	}
	claimed, err := pgx.CollectRows(rows, scanEvent)
	if err != nil {
		return nil, fmt.Errorf("claim unsent events: %w", translate(err))
	}
	return claimed, nil
}

func scanEvent(row pgx.CollectableRow) (cloudevents.Event, error) {
	var document []byte
	if err := row.Scan(&document); err != nil {
		return cloudevents.Event{}, err
	}
	return readEvent(document)
}

func readEvent(document []byte) (cloudevents.Event, error) {
	var event cloudevents.Event
	if err := json.Unmarshal(document, &event); err != nil {
		return cloudevents.Event{}, fmt.Errorf("read stored event: %w", err)
	}
	return event, nil
}

// markSent does not say "sent_at IS NULL": by the statistics of a table in which
// nearly all events are sent, Postgres would then go through every event that
// waits, of which there are many after an outage, and not look the few up.
const markSent = `
	UPDATE outbox SET sent_at = @now
	WHERE event_id = ANY (@ids) AND coalesce(sent_at, 'infinity') = 'infinity'`

// MarkSent records that the events with these ids have been delivered. Unknown
// ids and those marked before are passed over. It does not wait for the disk: a
// mark that is lost with the database's machine costs one more delivery.
func (s *Store) MarkSent(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	batch := &pgx.Batch{} // is one transaction
	batch.Queue(`SELECT set_config('synchronous_commit', 'off', true)`)
	batch.Queue(markSent, named{"ids": ids, "now": s.now()})
	return translate(s.pool.SendBatch(ctx, batch).Close())
}

// OutboxDepth returns how many events wait to be sent, and for how long the
// oldest has.
func (s *Store) OutboxDepth(ctx context.Context) (count int, oldest time.Duration, err error) {
	const query = `SELECT count(*), min(created_at) FROM outbox WHERE sent_at IS NULL`

	var since *time.Time
	if err := s.pool.QueryRow(ctx, query).Scan(&count, &since); err != nil {
		return 0, 0, translate(err)
	}
	if since != nil {
		oldest = max(0, s.now().Sub(*since))
	}
	return count, oldest, nil
}

// PruneOutbox removes events that were sent over an hour ago and dead letters
// of over 30 days, at most 10,000 of each in one call.
func (s *Store) PruneOutbox(ctx context.Context) error {
	const sent = `
		DELETE FROM outbox WHERE seq IN (
			SELECT seq FROM outbox WHERE sent_at < @before ORDER BY sent_at LIMIT @limit)`
	const dead = `
		DELETE FROM dead_letters WHERE (event_id, trigger_name) IN (
			SELECT event_id, trigger_name FROM dead_letters WHERE failed_at < @before ORDER BY failed_at LIMIT @limit)`

	now := s.now()
	if _, err := s.pool.Exec(ctx, sent, pgx.StrictNamedArgs{"before": now.Add(-keepSent), "limit": pruneLimit}); err != nil {
		return fmt.Errorf("prune sent events: %w", translate(err))
	}
	if _, err := s.pool.Exec(ctx, dead, pgx.StrictNamedArgs{"before": now.Add(-keepDead), "limit": pruneLimit}); err != nil {
		return fmt.Errorf("prune dead letters: %w", translate(err))
	}
	return nil
}
