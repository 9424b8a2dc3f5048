package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
)

// AddDeadLetter keeps a dead letter for 30 days. One for the same event and
// Trigger is replaced.
func (s *Store) AddDeadLetter(ctx context.Context, letter events.DeadLetter) error {
	const query = `
		INSERT INTO dead_letters (tenant_id, event_id, trigger_name, event, reason, attempts, failed_at)
		VALUES (@tenant_id, @event_id, @trigger_name, @event, @reason, @attempts, @now)
		ON CONFLICT ON CONSTRAINT dead_letters_pkey
		DO UPDATE SET event = excluded.event, reason = excluded.reason, attempts = excluded.attempts,
			failed_at = excluded.failed_at`

	document, err := json.Marshal(letter.Event)
	if err != nil {
		return fmt.Errorf("encode dead letter %s: %w", letter.Event.ID(), err)
	}
	_, err = s.pool.Exec(ctx, query, pgx.StrictNamedArgs{
		"tenant_id": tenantOf(letter.Event), "event_id": letter.Event.ID(), "trigger_name": letter.Trigger,
		"event": document, "reason": storable(letter.Reason), "attempts": letter.Attempts, "now": s.now(),
	})
	if err != nil {
		return fmt.Errorf("add dead letter %s: %w", letter.Event.ID(), translate(err))
	}
	return nil
}

// tenantOf returns the tenant that one of our own events is about: its subject
// is "<tenant>/<id>". Events of the cluster and of the clock have none.
func tenantOf(event cloudevents.Event) string {
	if !strings.HasPrefix(event.Type(), "io.pods.") {
		return ""
	}
	tenant, _, _ := strings.Cut(event.Subject(), "/")
	return tenant
}

// DeadLetters returns the newest dead letters of all tenants, at most limit,
// newest first.
func (s *Store) DeadLetters(ctx context.Context, limit int) ([]events.DeadLetter, error) {
	const query = `
		SELECT event, trigger_name, reason, attempts, failed_at FROM dead_letters
		ORDER BY failed_at DESC, event_id LIMIT @limit`

	rows, err := s.pool.Query(ctx, query, pgx.StrictNamedArgs{"limit": limit})
	if err != nil {
		return nil, translate(err)
	}
	letters, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (events.DeadLetter, error) {
		var document []byte
		var letter events.DeadLetter
		err := row.Scan(&document, &letter.Trigger, &letter.Reason, &letter.Attempts, &letter.FailedAt)
		if err != nil {
			return events.DeadLetter{}, err
		}
		letter.FailedAt = letter.FailedAt.UTC()
		return letter, json.Unmarshal(document, &letter.Event)
	})
	return letters, translate(err)
}

// DeadLetterCount returns how many dead letters there are.
func (s *Store) DeadLetterCount(ctx context.Context) (int, error) {
	const query = `SELECT count(*) FROM dead_letters`

	var count int
	err := s.pool.QueryRow(ctx, query).Scan(&count)
	return count, translate(err)
}

// ResendDeadLetter puts the event of a dead letter into the outbox again, as
// it was, and forgets the dead letter. The event goes to every Trigger that it
// fits, also to those that took it before.
//
// Errors: KindNotFound; KindConflict while the event is still being delivered
// to others: it would count as sent when that ends.
func (s *Store) ResendDeadLetter(ctx context.Context, eventID, trigger string) error {
	const take = `
		DELETE FROM dead_letters WHERE event_id = @event_id AND trigger_name = @trigger_name
		RETURNING tenant_id, event`

	return s.inTx(ctx, func(t *tx) error {
		var tenantID string
		var document []byte
		args := pgx.StrictNamedArgs{"event_id": eventID, "trigger_name": trigger}
		err := t.QueryRow(ctx, take, args).Scan(&tenantID, &document)
		if errors.Is(err, pgx.ErrNoRows) {
			return deadLetterNotFound(eventID, trigger)
		}
		if err != nil {
			return fmt.Errorf("take dead letter %s: %w", eventID, translate(err))
		}
		return t.emitAgain(ctx, tenantID, document)
	})
}

// emitAgain adds an event to the outbox that may have been there before.
func (t *tx) emitAgain(ctx context.Context, tenantID string, document []byte) error {
	const query = `
		INSERT INTO outbox AS o (tenant_id, event_id, event, created_at)
		VALUES (@tenant_id, @event_id, @event, @now)
		ON CONFLICT ON CONSTRAINT outbox_event_id_key
		DO UPDATE SET created_at = excluded.created_at, claimed_until = NULL, sent_at = NULL
		WHERE o.sent_at IS NOT NULL`

	event, err := readEvent(document)
	if err != nil {
		return err
	}
	tag, err := t.Exec(ctx, query, pgx.StrictNamedArgs{
		"tenant_id": tenantID, "event_id": event.ID(), "event": document, "now": t.now,
	})
	if err != nil {
		return fmt.Errorf("send event %s again: %w", event.ID(), translate(err))
	}
	if tag.RowsAffected() == 0 {
		return pods.Conflict("Event %s is still being delivered. Try again in a moment.", event.ID())
	}
	t.events = append(t.events, event)
	return nil
}

// DeleteDeadLetter forgets a dead letter.
//
// Errors: KindNotFound.
func (s *Store) DeleteDeadLetter(ctx context.Context, eventID, trigger string) error {
	const query = `DELETE FROM dead_letters WHERE event_id = @event_id AND trigger_name = @trigger_name`

	tag, err := s.pool.Exec(ctx, query, pgx.StrictNamedArgs{"event_id": eventID, "trigger_name": trigger})
	if err != nil {
		return fmt.Errorf("delete dead letter %s: %w", eventID, translate(err))
	}
	if tag.RowsAffected() == 0 {
		return deadLetterNotFound(eventID, trigger)
	}
	return nil
}

func deadLetterNotFound(eventID, trigger string) error {
	return pods.NotFound("There is no dead letter of event '%s' and Trigger '%s'.", eventID, trigger)
}
