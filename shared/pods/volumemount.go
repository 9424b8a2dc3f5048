package pods

import "strings"

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
}

// KeyedByPath reports whether a mount's key is its path in the container
// rather than the id of a volume.
func KeyedByPath(key string) bool { return strings.HasPrefix(key, "/") }

// Mount is a VolumeMount in the one form that the rest of the service reads.
type Mount struct {
	Type     string
	SourceID string // volume or snapshot id; empty for a claim
	Path     string // absolute path in the container
	SubPath  string // path below the source's root; empty means all of it
	ReadOnly bool
}

// NormalizeMount returns the mount stored under key in its one form.
func NormalizeMount(key string, mount VolumeMount) Mount {
	normal := Mount{Type: mount.Type, SubPath: mount.SubPath, ReadOnly: mount.Type == MountSnapshot}
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
