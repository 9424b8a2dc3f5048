package reconcile

import (
	"context"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
)

// askForLogs wakes the function logs when the output of some pods is due.
func (h *Handler) askForLogs(ctx context.Context) error {
	due, err := h.store.LogsDue(ctx)
	if err != nil || !due {
		return err
	}
	h.publish([]cloudevents.Event{events.NewLogsDue(pods.ActorHealth, h.now())})
	return nil
}
