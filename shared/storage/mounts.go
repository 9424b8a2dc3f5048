package storage

import (
	"context"
	"strings"

	"github.com/pods-service/pods/shared/files"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/volumes"
)

// Objects are the volumes and snapshots that there are, as postgres.Store has
// them.
type Objects interface {
	Volume(ctx context.Context, tenantID, volumeID string) (volumes.Volume, error)       // KindNotFound
	Snapshot(ctx context.Context, tenantID, snapshotID string) (volumes.Snapshot, error) // KindNotFound
}

// Mounts decides what pods may mount.
type Mounts struct {
	Source  Source
	Objects Objects
	// Files are the files of the objects. Without them, sub_path is left to
	// Kubernetes, which makes folders that are missing.
	Files *files.Store
}

// Check decides whether the users who added the mounts of a merged pod may
// mount what they name: that needs READ, and USER to write. A mount that a
// template brings counts as added by user starter. Administrators of the site
// have no more rights here than others: the mode in which they act ends with
// the request, a mount does not.
//
// Errors: KindInvalid for what is not there, or not for the user to see, and
// for mounts that this installation does not have; KindForbidden when the level
// is too low.
func (m Mounts) Check(ctx context.Context, pod pods.Pod, starter string) error {
	for _, mount := range pod.Mounts() {
		if !mount.IsShared() {
			continue
		}
		if err := m.Source.Supports(mount); err != nil {
			return err
		}
		if mount.MountedBy == "" {
			mount.MountedBy = starter
		}
		if err := m.check(ctx, pod, mount); err != nil {
			return err
		}
	}
	return nil
}

// Supports decides whether m can be made at all.
//
// Errors: KindInvalid.
func (s Source) Supports(m pods.Mount) error {
	switch {
	case !m.IsShared():
		return nil
	case s.IsZero():
		return pods.Invalid("volume_mounts '%s': %s is not available on this installation. Use pvc, a claim of the pod's own.", m.Key, m.Type)
	case m.SubPath != "" && !s.Apart():
		return pods.Invalid("volume_mounts '%s': sub_path is not available on this installation. Mount the whole of '%s'.", m.Key, m.SourceID)
	}
	return nil
}

func (m Mounts) check(ctx context.Context, pod pods.Pod, mount pods.Mount) error {
	object, err := m.object(ctx, pod.TenantID, mount)
	isMissing := pods.KindOf(err) == pods.KindNotFound
	if err != nil && !isMissing {
		return err
	}
	need := permissions.User
	if mount.ReadOnly {
		need = permissions.Read
	}
	user := pods.Caller{TenantID: pod.TenantID, SiteID: pod.SiteID, Username: mount.MountedBy}
	noun := strings.TrimPrefix(mount.Type, "tapis")
	switch has := object.Level(user); {
	case isMissing || has < permissions.Read:
		return pods.Invalid("volume_mounts '%s': there is no %s '%s' that user '%s' may use. Create it, ask its owner for access, or mount another.",
			mount.Key, noun, mount.SourceID, user.Username)
	case has < need:
		return pods.Forbidden("Not authorized -- volume_mounts '%s': to write to %s '%s', user '%s' needs level %s, and has %s. Mount it read_only, or ask its owner for more.",
			mount.Key, noun, mount.SourceID, user.Username, need, has)
	}
	return m.checkSubPath(ctx, pod, mount)
}

// checkSubPath tells users at once of a link that Kubernetes would refuse, and
// keeps Kubernetes from making folders for those who may only read.
func (m Mounts) checkSubPath(ctx context.Context, pod pods.Pod, mount pods.Mount) error {
	if m.Files == nil || mount.SubPath == "" {
		return nil
	}
	_, err := m.Files.Stat(ctx, object(pod.TenantID, mount), mount.SubPath)
	switch pods.KindOf(err) {
	case pods.KindInvalid:
		return pods.Invalid("volume_mounts '%s': sub_path '%s' leads through a file, or out of '%s' by a link. Name a folder in it.", mount.Key, mount.SubPath, mount.SourceID)
	case pods.KindNotFound:
		if !mount.ReadOnly {
			return nil
		}
		return pods.Invalid("volume_mounts '%s': there is no '%s' in '%s'. Name a folder in it.", mount.Key, mount.SubPath, mount.SourceID)
	}
	return err
}

// object is what access to what mount names is decided by.
func (m Mounts) object(ctx context.Context, tenantID string, mount pods.Mount) (permissions.Object, error) {
	if mount.Type == pods.MountSnapshot {
		snapshot, err := m.Objects.Snapshot(ctx, tenantID, mount.SourceID)
		return snapshot.Object(), err
	}
	volume, err := m.Objects.Volume(ctx, tenantID, mount.SourceID)
	return volume.Object(), err
}
