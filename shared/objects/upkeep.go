package objects

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/volumes"
)

const (
	// measureFor is how long one round goes on to the next volume, and measureOne
	// bounds the measuring of one, of which the size stays as it was when it takes
	// longer. Together they are less than what the Trigger gives a delivery.
	measureFor = 2 * time.Minute
	measureOne = 2 * time.Minute
	// staleAfter is how old what is staged is when nobody can be at work on it any
	// more: requests take an hour at most.
	staleAfter = 2 * time.Hour
	// purgeLimit is how many of what was removed one CleanUp forgets.
	purgeLimit = 1000
)

// Measure measures the volumes of which that is due, as long as there is time,
// and clears away what uploads and copies that were killed have left. What is not
// reached is due still.
func (o *Objects) Measure(ctx context.Context) error {
	for deadline := o.now().Add(measureFor); o.now().Before(deadline); {
		due, err := o.store.ClaimMeasure(ctx, 1)
		if err != nil {
			return err
		}
		if len(due) == 0 {
			break
		}
		if err := o.measure(ctx, due[0]); err != nil {
			o.log(ctx, "not measured", due[0], err)
		}
	}
	// What cannot be cleared away now is tried again with the next round.
	if _, err := o.files.Sweep(ctx, o.now().Add(-staleAfter)); err != nil {
		o.logger.LogAttrs(ctx, slog.LevelWarn, "what was staged cannot be cleared away", slog.Any("error", err))
	}
	return nil
}

func (o *Objects) measure(ctx context.Context, ref volumes.Ref) error {
	limited, cancel := context.WithTimeout(ctx, measureOne)
	defer cancel()
	size, err := o.files.Measure(limited, FilesOf(ref))
	if err != nil {
		return err
	}
	return o.store.Measured(ctx, ref, usageOf(size))
}

func (o *Objects) log(ctx context.Context, message string, ref volumes.Ref, err error) {
	o.logger.LogAttrs(ctx, slog.LevelWarn, message,
		slog.String("tenant_id", ref.TenantID), slog.String(string(ref.Kind)+"_id", ref.ID), slog.Any("error", err))
}

// CleanUp finishes what was left undone, and deletes for good what was removed
// longer ago than the grace period.
func (o *Objects) CleanUp(ctx context.Context) error {
	return errors.Join(o.Finish(ctx), o.purge(ctx))
}

// Finish takes over and ends all work that a process has left undone.
func (o *Objects) Finish(ctx context.Context) error {
	for {
		left, err := o.store.TakeOver(ctx, newWorker(), leaseTime)
		if pods.KindOf(err) == pods.KindNotFound {
			return nil
		}
		if err != nil {
			return err
		}
		held, release := o.hold(ctx, left.Work)
		limited, cancel := context.WithTimeout(held, copyFor)
		err = o.finish(limited, left)
		cancel()
		release()
		if err != nil && pods.KindOf(err) != pods.KindConflict {
			o.log(ctx, "work that was left undone cannot be finished yet", left.Ref, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (o *Objects) finish(ctx context.Context, left postgres.Left) error {
	if left.Object.Status == volumes.StatusDeleting {
		return o.finishRemoval(ctx, left.Work)
	}
	if left.Kind == volumes.KindVolume {
		if err := o.makeFolder(ctx, left.Work); err != nil {
			return o.abandon(ctx, left.Work, err, pods.KindConflict)
		}
		_, err := o.store.VolumeCreated(ctx, left.Work, volumes.Usage{})
		return err
	}
	size, err := o.files.Measure(ctx, FilesOf(left.Ref))
	if pods.KindOf(err) == pods.KindNotFound && left.Object.ScheduleID != "" {
		// Nobody would ask again for the copy of a schedule.
		_, err = o.fill(ctx, left.Work, left.Object)
		return err
	}
	if err != nil {
		return o.abandon(ctx, left.Work, err, pods.KindNotFound)
	}
	_, err = o.store.SnapshotCreated(ctx, left.Work, usageOf(size))
	return err
}

// abandon gives up what cannot be made because of err, if that is of the kind;
// with any other error it is tried again later.
func (o *Objects) abandon(ctx context.Context, work postgres.Work, err error, kind pods.Kind) error {
	if pods.KindOf(err) != kind {
		return err
	}
	return o.store.NotCreated(ctx, work)
}

func (o *Objects) purge(ctx context.Context) error {
	due, err := o.store.Purgeable(ctx, purgeLimit)
	if err != nil {
		return err
	}
	if _, err := o.files.Purge(ctx, o.now().Add(-o.grace)); err != nil {
		return fmt.Errorf("delete for good what was removed: %w", err)
	}
	for _, removed := range due {
		if err := o.store.Purged(ctx, removed.Entry); err != nil {
			return err
		}
	}
	return nil
}
