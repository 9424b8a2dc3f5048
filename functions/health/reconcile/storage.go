package reconcile

import (
	"context"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
)

// maxSchedules is how many schedules one tick sends for; the rest is left to later
// ticks.
const maxSchedules = 200

// lookAfterStorage wakes the function that works on the files of volumes and
// snapshots when there is something to be done about any.
func (h *Handler) lookAfterStorage(ctx context.Context) error {
	due, err := h.store.StorageDue(ctx)
	if err != nil {
		return err
	}
	var wanted []cloudevents.Event
	if due.Measure {
		wanted = append(wanted, events.NewVolumeMeasureDue(pods.ActorHealth, h.now()))
	}
	if due.CleanUp {
		wanted = append(wanted, events.NewVolumeCleanUpDue(pods.ActorHealth, h.now()))
	}
	if len(wanted) > 0 {
		h.publish(wanted)
	}
	if due.Snapshots {
		_, err = h.store.ScheduleDueSnapshots(ctx, maxSchedules)
	}
	return err
}
