package pods

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// The kinds of storage a pod can mount.
const (
	MountVolume   = "tapisvolume"
	MountSnapshot = "tapissnapshot"
	MountPVC      = "pvc"
)

// DefaultMountPath is where a mount keyed by volume id appears when it names
// no path.
const DefaultMountPath = "/tapis_volume_mount"

// VolumeMount is storage that appears as a folder in the container. It is
// stored and shown as one JSON document in the form it was sent: keyed by
// volume id with a mount path inside, or keyed by mount path with a source id
// inside.
type VolumeMount struct {
	Type      string  `json:"type"`
	MountPath *string `json:"mount_path,omitempty"` // form keyed by volume id
	SourceID  *string `json:"source_id,omitempty"`  // form keyed by mount path
	SubPath   string  `json:"sub_path"`
	ReadOnly  *bool   `json:"read_only,omitempty"` // form keyed by mount path
	// MountedBy is the user who added the mount of shared storage to the pod, and
	// whose permission on it counts. What a template brings has none.
	MountedBy string `json:"mounted_by,omitempty"`
}

// KeyedByPath reports whether a mount's key is its path in the container
// rather than the id of a volume.
func KeyedByPath(key string) bool { return strings.HasPrefix(key, "/") }

// Mount is a VolumeMount in the one form that the rest of the service reads.
type Mount struct {
	Key      string // as the user knows it
	Type     string
	SourceID string // volume or snapshot id; empty for a claim
	Path     string // absolute path in the container
	SubPath  string // clean path below the source's root; empty means all of it
	ReadOnly bool
	// MountedBy is as in VolumeMount.
	MountedBy string
}

// IsShared reports whether m shows shared storage, and not a claim of the pod's
// own.
func (m Mount) IsShared() bool { return m.Type == MountVolume || m.Type == MountSnapshot }

// Mounts returns the mounts of s in the order of their keys, without those that
// were removed.
func (s Spec) Mounts() []Mount {
	var mounts []Mount
	for _, key := range slices.Sorted(maps.Keys(s.VolumeMounts)) {
		if mount := s.VolumeMounts[key]; mount != nil {
			mounts = append(mounts, NormalizeMount(key, *mount))
		}
	}
	return mounts
}

// NormalizeMount returns the mount stored under key in its one form.
func NormalizeMount(key string, mount VolumeMount) Mount {
	normal := Mount{
		Key: key, Type: mount.Type, SubPath: cleanSubPath(mount.SubPath), ReadOnly: mount.Type == MountSnapshot,
		MountedBy: mount.MountedBy,
	}
	if KeyedByPath(key) {
		normal.Path = key
		if mount.SourceID != nil {
			normal.SourceID = *mount.SourceID
		}
		if mount.ReadOnly != nil && *mount.ReadOnly {
			normal.ReadOnly = true
		}
		return normal
	}
	normal.SourceID = key
	normal.Path = DefaultMountPath
	if mount.MountPath != nil && *mount.MountPath != "" {
		normal.Path = *mount.MountPath
	}
	return normal
}

func cleanSubPath(subPath string) string {
	if clean := path.Clean(subPath); clean != "." {
		return clean
	}
	return ""
}

// mountedBy returns the mounts that user sent in place of those stored. The
// user has added all of them but those that are as they were.
func mountedBy(user string, sent, stored map[string]*VolumeMount) map[string]*VolumeMount {
	mounts := make(map[string]*VolumeMount, len(sent))
	for key, mount := range sent {
		if mount == nil {
			mounts[key] = nil
			continue
		}
		kept, known := *mount, stored[key]
		kept.MountedBy = ""
		if NormalizeMount(key, kept).IsShared() {
			kept.MountedBy = user
		}
		if known != nil && !KeyedByPath(key) && kept.MountPath == nil {
			// Clients that know only the other form send it back without one.
			kept.MountPath = known.MountPath
		}
		if known != nil && isSameMount(key, kept, *known) {
			kept.MountedBy = known.MountedBy
		}
		mounts[key] = &kept
	}
	return mounts
}

// isSameMount reports whether two mounts of the same key show the same thing in
// the same way.
func isSameMount(key string, one, other VolumeMount) bool {
	one.MountedBy, other.MountedBy = "", ""
	return NormalizeMount(key, one) == NormalizeMount(key, other)
}

// withoutUsers returns mounts as a template has them.
func withoutUsers(mounts map[string]*VolumeMount) map[string]*VolumeMount {
	for _, mount := range mounts {
		if mount != nil {
			mount.MountedBy = ""
		}
	}
	return mounts
}
