package events

import (
	"context"
	"log/slog"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
)

// DeadLetter is an event that one trigger's subscriber did not take: kept so
// that people can look at it and have it sent again.
type DeadLetter struct {
	Event    cloudevents.Event
	Trigger  string    // name of the trigger whose delivery failed
	Reason   string    // the last answer, at most 1 KiB
	Attempts int       // deliveries tried, at least 1
	FailedAt time.Time // set by the store when it is kept
}

func logDeadLetter(ctx context.Context, logger *slog.Logger, letter DeadLetter) {
	logger.LogAttrs(ctx, slog.LevelError, "event kept as a dead letter",
		slog.String("trigger", letter.Trigger), slog.String("event_id", letter.Event.ID()),
		slog.String("event_type", letter.Event.Type()), slog.String("event_subject", letter.Event.Subject()),
		slog.Int("attempts", letter.Attempts), slog.String("reason", letter.Reason))
}
