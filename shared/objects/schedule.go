package objects

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/volumes"
)

const (
	// scheduler is who removes the copies that a retention policy does not keep.
	scheduler = "schedule"
	// copyFor bounds a copy that no client waits for. It is less than what the
	// Trigger gives one delivery of the event, so that what takes longer is given up
	// and not begun again.
	copyFor = 4 * time.Minute
)

// errBeingMade says that another process is at work on the copy, and finishes it
// or has it finished.
var errBeingMade = errors.New("the copy is being made")

// CopyDue makes the copy that a schedule asks for, and removes those of its
// copies that its retention policy does not keep. It can be repeated: the copy's
// id says what time it is for. A copy that cannot be made because of what users
// have done is given up, and the schedule says why.
//
// Errors: volumes.NotFound for a schedule that is gone; KindConflict when another
// copy has been asked for since; any error that may pass.
func (o *Objects) CopyDue(ctx context.Context, due events.SnapshotDue) error {
	schedule, err := o.store.Snapshot(ctx, due.TenantID, due.SnapshotID)
	if err != nil {
		return err
	}
	if schedule.LastDueAt == nil || !schedule.LastDueAt.Equal(due.DueAt) {
		return pods.Conflict("snapshot %s asks for another copy by now", schedule.ID)
	}
	err = o.copy(ctx, schedule, due.DueAt)
	if errors.Is(err, errBeingMade) {
		return nil
	}
	failure := ""
	if err != nil {
		failure = reason(err)
	}
	if noted := o.store.ScheduleRan(ctx, schedule.Ref(), due.DueAt, failure); noted != nil {
		return noted
	}
	if err != nil {
		o.log(ctx, "scheduled copy not made", schedule.Ref(), err)
		if mayPass(err) {
			return err
		}
		return nil
	}
	return o.retain(ctx, schedule)
}

// copy makes the copy for a time that the schedule was due, unless it is there.
func (o *Objects) copy(ctx context.Context, schedule volumes.Snapshot, dueAt time.Time) error {
	source, err := o.store.Volume(ctx, schedule.TenantID, schedule.SourceVolumeID)
	if err != nil {
		return err
	}
	owner := pods.Caller{TenantID: schedule.TenantID, SiteID: schedule.SiteID, Username: schedule.AddedBy}
	if err := permissions.Check(owner, source.Object(), permissions.User); err != nil {
		return pods.Forbidden("User '%s', who has made the schedule, does not have permission to use source_volume_id '%s' any more.", owner.Username, source.ID)
	}
	limited, cancel := context.WithTimeout(ctx, copyFor)
	defer cancel()
	wanted := schedule.Copy(dueAt)
	_, err = o.CreateSnapshot(limited, wanted)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return pods.TooLarge("The copy took longer than %s and was given up. Have it made of fewer files.", copyFor)
	}
	if pods.KindOf(err) != pods.KindConflict {
		return err
	}
	there, reading := o.store.Snapshot(ctx, wanted.TenantID, wanted.ID)
	switch {
	case pods.KindOf(reading) == pods.KindNotFound:
		return errBeingMade
	case reading != nil:
		return reading
	case there.ScheduleID != schedule.ID:
		return pods.Invalid("There is another snapshot '%s', which has the id that the copy would have.", wanted.ID)
	}
	return nil
}

// mayPass reports whether what failed may succeed when it is tried again.
func mayPass(err error) bool {
	switch pods.KindOf(err) {
	case pods.KindUnavailable, pods.KindTimeout, pods.KindExhausted, pods.KindInternal:
		return true
	}
	return false
}

// reason returns what a user may read of err.
func reason(err error) string {
	if e, ok := errors.AsType[*pods.Error](err); ok {
		return e.Message
	}
	return "The copy failed inside the service."
}

// retain removes the copies that the schedule's policy does not keep, but for
// those that pods mount.
func (o *Objects) retain(ctx context.Context, schedule volumes.Snapshot) error {
	policy, err := volumes.ParseRetention(schedule.RetentionPolicy)
	if err != nil {
		return fmt.Errorf("policy of snapshot %s: %w", schedule.ID, err)
	}
	copies, err := o.store.Copies(ctx, schedule.TenantID, schedule.ID)
	if err != nil {
		return err
	}
	times := make([]time.Time, len(copies))
	for i, taken := range copies {
		times[i] = *taken.DueAt
	}
	surplus := policy.Surplus(times)
	for _, taken := range copies {
		if !slices.ContainsFunc(surplus, taken.DueAt.Equal) {
			continue
		}
		err := o.Remove(ctx, taken.Ref(), scheduler, func(volumes.Snapshot) error { return nil })
		if kind := pods.KindOf(err); err != nil && kind != pods.KindNotFound && kind != pods.KindConflict {
			return err
		}
	}
	return nil
}
