package events

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/pods-service/pods/shared/telemetry"
)

// Handle serves the one event in r for the named function: it reads the event,
// has handle called within the event's trace, and acknowledges the outcome,
// which it measures.
func Handle(w http.ResponseWriter, r *http.Request, function string, logger *slog.Logger,
	handle func(context.Context, cloudevents.Event) error,
) {
	start := time.Now()
	event, err := Read(w, r)
	ctx := telemetry.Extract(telemetry.FromHeader(r.Context(), r.Header), event)
	ctx, end := telemetry.Span(ctx, function+" handle",
		telemetry.Text("cloudevents.event_id", event.ID()), telemetry.Text("cloudevents.event_type", event.Type()),
		telemetry.Text("cloudevents.event_subject", event.Subject()))
	if err == nil {
		err = handle(ctx, event)
	}
	end(unacknowledged(err))
	handling.observe(function, event, AckStatus(err), start)
	Acknowledge(w, r.WithContext(ctx), logger, event, err)
}

// unacknowledged returns err unless the event is done with all the same.
func unacknowledged(err error) error {
	if AckStatus(err) == http.StatusAccepted {
		return nil
	}
	return err
}
