package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/events"
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
