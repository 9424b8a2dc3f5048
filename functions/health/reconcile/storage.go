package reconcile

import (
	"context"
	"time"

	"github.com/pods-service/pods/shared/postgres"
)

const (
	// maxSchedules is how many schedules one tick sends for; the rest is left to
	// later ticks.
	maxSchedules = 200
	// upkeepEvery is how often the same upkeep is asked for while it is due.
	upkeepEvery = time.Minute
)

// lookAfterStorage wakes the function that works on the files of volumes and
// snapshots when there is something to be done about any. That may take minutes,
// so the events go through the outbox.
func (h *Handler) lookAfterStorage(ctx context.Context) error {
	due, err := h.store.StorageDue(ctx)
	if err != nil {
		return err
	}
	now := h.now()
	upkeep := postgres.StorageDue{
		Measure: due.Measure && h.resent.isDue("measure", now, upkeepEvery),
		CleanUp: due.CleanUp && h.resent.isDue("clean up", now, upkeepEvery),
	}
	if upkeep != (postgres.StorageDue{}) {
		if err := h.store.AskForUpkeep(ctx, upkeep); err != nil {
			return err
		}
	}
	if due.Snapshots {
		_, err = h.store.ScheduleDueSnapshots(ctx, maxSchedules)
	}
	return err
}
