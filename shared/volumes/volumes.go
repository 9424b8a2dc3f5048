// Package volumes is the domain of shared storage: what a volume and a snapshot
// are, which values their fields may take, when a scheduled snapshot is due and
// which of its copies are kept. The files themselves are in package files, the
// rows in package postgres.
package volumes

import (
	"time"

	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
)

// Kind tells volumes from snapshots. Their ids are apart: a volume and a snapshot
// of a tenant may be called the same.
type Kind string

// The kinds.
const (
	KindVolume   Kind = "volume"
	KindSnapshot Kind = "snapshot"
)

// Status is where a volume or snapshot is.
type Status string

// The statuses. A row is CREATING from before its files are there until they are
// complete, and DELETING from the wish to remove it until its files are in
// quarantine, so that a process that dies in between leaves a row which says what
// there is to be finished. Users see neither: what is CREATING is not there for
// them yet, and what is DELETING not any more.
const (
	StatusCreating  Status = "CREATING"
	StatusAvailable Status = "AVAILABLE"
	StatusDeleting  Status = "DELETING"
)

// MB is what sizes and limits are counted in, in bytes.
const MB = 1 << 20

// Base is what volumes and snapshots have in common.
type Base struct {
	TenantID    string
	SiteID      string
	ID          string
	Description string
	SizeLimit   int64 // MB
	Usage       Usage
	Status      Status
	AddedBy     string // a user's name
	Permissions permissions.Set
	CreationTS  time.Time
	UpdateTS    time.Time // the last change by a user
}

// Usage is how much something held when it was last measured.
type Usage struct {
	Bytes      int64
	Files      int64
	MeasuredAt *time.Time // nil until it has been measured
}

// MB returns the size in MB, rounded up.
func (u Usage) MB() int64 { return (u.Bytes + MB - 1) / MB }

// IsFull reports whether b held more than its limit when it was last measured.
func (b Base) IsFull() bool { return b.Usage.Bytes > b.SizeLimit*MB }

// Volume is a folder that pods can share.
type Volume struct{ Base }

// Object returns what access to v is decided by.
func (v Volume) Object() permissions.Object {
	return permissions.Object{
		Type: permissions.VolumeType, TenantID: v.TenantID, SiteID: v.SiteID, Set: v.Permissions, Missing: NotFound(KindVolume, v.ID),
	}
}

// Snapshot is a copy of files of a volume that never changes. One with a cron
// expression is a schedule too: at each time that the expression names, another
// copy of the same files becomes a snapshot of its own.
type Snapshot struct {
	Base
	SourceVolumeID   string
	SourceVolumePath string // absolute below the volume's root
	DestinationPath  string // where the copy is in the snapshot; empty for its root
	Cron             string
	RetentionPolicy  string

	// NextDueAt is when the next copy is due; nil without a schedule.
	NextDueAt *time.Time
	// LastDueAt is the time for which a copy was last asked.
	LastDueAt *time.Time
	// LastError says why the last copy was not made, empty when it was.
	LastError string
	// ScheduleID names the snapshot of whose schedule this is a copy, and DueAt
	// the time it was due; both are empty for one that a user has made.
	ScheduleID string
	DueAt      *time.Time
}

// Object returns what access to s is decided by.
func (s Snapshot) Object() permissions.Object {
	return permissions.Object{
		Type: permissions.SnapshotType, TenantID: s.TenantID, SiteID: s.SiteID, Set: s.Permissions, Missing: NotFound(KindSnapshot, s.ID),
	}
}

// NotFound is the error for a volume or snapshot that is not there, and for one
// that the caller may not see.
func NotFound(kind Kind, id string) *pods.Error {
	noun := "Volume"
	if kind == KindSnapshot {
		noun = "Snapshot"
	}
	return pods.NotFound("%s with identifier %s_id: '%s' not found", noun, kind, id)
}

// Ref names a volume or snapshot.
type Ref struct {
	TenantID string
	Kind     Kind
	ID       string
}

// Ref returns what names v.
func (v Volume) Ref() Ref { return Ref{v.TenantID, KindVolume, v.ID} }

// Ref returns what names s.
func (s Snapshot) Ref() Ref { return Ref{s.TenantID, KindSnapshot, s.ID} }

// Removed is a volume or snapshot that was deleted and can still be restored.
type Removed struct {
	Ref
	Entry     string // the name of its files in quarantine
	By        string // who has deleted it
	RemovedAt time.Time
	PurgeAt   time.Time // when its files go for good
}
