// Package objects makes, copies, measures and removes volumes and snapshots:
// their rows and their files together.
//
// A row comes before its files and goes after them, and users see it only in
// between, when it is AVAILABLE:
//
//   - Making: the row is written as CREATING, then the files appear in one step,
//     then the row becomes AVAILABLE.
//   - Removing: the row becomes DELETING, then the files go into quarantine in one
//     step, then the row moves to what was removed.
//
// Whoever works on a row renews a lease on it. When a process is killed, Finish
// takes over once the lease is up: what is DELETING is removed, a volume that is
// CREATING gets its files, and so does the copy of a schedule, and any other
// snapshot that is CREATING is there if its files are, and otherwise not. So
// everything is as it was or as it was asked to be. The id stays taken meanwhile,
// so nobody gets the files of another. Nothing is ever removed because a row is
// missing: files without a row stay where they are.
package objects

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/pods-service/pods/shared/files"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/templates"
	"github.com/pods-service/pods/shared/volumes"
)

// Store holds the rows, as postgres.Store does.
type Store interface {
	Volume(ctx context.Context, tenantID, volumeID string) (volumes.Volume, error)
	Snapshot(ctx context.Context, tenantID, snapshotID string) (volumes.Snapshot, error)
	MountingPods(ctx context.Context, tenantID, id string) ([]pods.Pod, error)

	CreateVolume(ctx context.Context, volume volumes.Volume, worker string, lease time.Duration) (postgres.Work, error)
	CreateSnapshot(ctx context.Context, snapshot volumes.Snapshot, worker string, lease time.Duration) (postgres.Work, error)
	VolumeCreated(ctx context.Context, work postgres.Work, usage volumes.Usage) (volumes.Volume, error)
	SnapshotCreated(ctx context.Context, work postgres.Work, usage volumes.Usage) (volumes.Snapshot, error)
	NotCreated(ctx context.Context, work postgres.Work) error
	BeginRemoval(ctx context.Context, work postgres.Work, lease time.Duration, removal postgres.Removal, authorize func(context.Context, volumes.Snapshot) error) error
	EndRemoval(ctx context.Context, work postgres.Work, entry string) error
	Renew(ctx context.Context, work postgres.Work, lease time.Duration) error
	TakeOver(ctx context.Context, worker string, lease time.Duration) (postgres.Left, error)

	Copies(ctx context.Context, tenantID, scheduleID string) ([]volumes.Snapshot, error)
	ScheduleRan(ctx context.Context, schedule volumes.Ref, dueAt time.Time, failure string) error
	ClaimMeasure(ctx context.Context, limit int) ([]volumes.Ref, error)
	Measured(ctx context.Context, ref volumes.Ref, usage volumes.Usage) error

	RemovedEntry(ctx context.Context, entry string) (volumes.Removed, error)
	Purgeable(ctx context.Context, limit int) ([]volumes.Removed, error)
	Purged(ctx context.Context, entry string) error
	RestoreRemoved(ctx context.Context, entry string) (volumes.Ref, error)
}

// Deriver merges a pod with its templates, which may bring mounts.
type Deriver interface {
	Derive(ctx context.Context, pod pods.Pod) (templates.Derived, error)
}

// DefaultGrace is how long what was deleted can be restored.
const DefaultGrace = 7 * 24 * time.Hour

const (
	// leaseTime is how long after its last sign of life a process is taken to be
	// dead.
	leaseTime = 30 * time.Second
	// closeTimeout bounds what is done once the caller has given up.
	closeTimeout = 5 * time.Second
)

// Options are what Objects go by.
type Options struct {
	Store   Store
	Files   *files.Store
	Deriver Deriver
	Grace   time.Duration    // 0 means DefaultGrace
	Now     func() time.Time // nil means time.Now
	Logger  *slog.Logger     // nil means slog.Default()
}

// Objects are the volumes and snapshots of all tenants. They are safe for
// concurrent use, also by several processes.
type Objects struct {
	store   Store
	files   *files.Store
	deriver Deriver
	grace   time.Duration
	now     func() time.Time
	logger  *slog.Logger
}

// New returns the objects in a store and their files.
func New(options Options) *Objects {
	o := &Objects{
		store: options.Store, files: options.Files, deriver: options.Deriver,
		grace: options.Grace, now: options.Now, logger: options.Logger,
	}
	if o.grace == 0 {
		o.grace = DefaultGrace
	}
	if o.now == nil {
		o.now = time.Now
	}
	if o.logger == nil {
		o.logger = slog.Default()
	}
	return o
}

// FilesOf returns what names the files of a volume or snapshot.
func FilesOf(ref volumes.Ref) files.Object {
	kind := files.Volumes
	if ref.Kind == volumes.KindSnapshot {
		kind = files.Snapshots
	}
	return files.Object{Tenant: ref.TenantID, Kind: kind, ID: ref.ID}
}

// hold renews the lease on work until release is called. The context it returns
// ends when the work is somebody else's.
func (o *Objects) hold(ctx context.Context, work postgres.Work) (held context.Context, release func()) {
	held, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(leaseTime / 3)
		defer ticker.Stop()
		for {
			select {
			case <-held.Done():
				return
			case <-ticker.C:
			}
			// A database that is away for a moment does not end the work.
			if err := o.store.Renew(held, work, leaseTime); pods.KindOf(err) == pods.KindConflict {
				cancel()
			}
		}
	}()
	return held, func() {
		cancel()
		<-done
	}
}

func newWorker() string { return uuid.NewString() }

// closing returns a context for what has to be done also when ctx has ended.
func closing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
}

func usageOf(size files.Size) volumes.Usage {
	return volumes.Usage{Bytes: size.Bytes, Files: size.Files}
}

// errNotEmpty ends the look into a folder that should be empty.
var errNotEmpty = errors.New("there are files")
