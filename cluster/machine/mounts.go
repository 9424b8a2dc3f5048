package machine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Mount is one entry of this process's mount table.
type Mount struct {
	Target string // where it is mounted
	Type   string // of file system: overlay, tmpfs, cgroup2, ...
}

// Mounts returns the mount table, the oldest mount first.
func Mounts() ([]Mount, error) {
	content, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	return parseMounts(string(content))
}

// parseMounts reads the format of /proc/PID/mountinfo: the target is field 5,
// and the type is the first field after a lone hyphen.
func parseMounts(content string) ([]Mount, error) {
	var mounts []Mount
	for line := range strings.Lines(content) {
		fields := strings.Fields(line)
		hyphen := slices.Index(fields, "-")
		if hyphen < 6 || len(fields) < hyphen+2 {
			return nil, fmt.Errorf("mount table: cannot read line %q", line)
		}
		mounts = append(mounts, Mount{Target: unescape(fields[4]), Type: fields[hyphen+1]})
	}
	return mounts, nil
}

// unescape resolves the \ooo the kernel writes for spaces, tabs, line ends and
// backslashes in a path.
func unescape(path string) string {
	var plain strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '\\' && i+3 < len(path) {
			if code, err := strconv.ParseUint(path[i+1:i+4], 8, 8); err == nil {
				plain.WriteByte(byte(code))
				i += 3
				continue
			}
		}
		plain.WriteByte(path[i])
	}
	return plain.String()
}

// below returns the targets at or below folder, the newest first: the order in
// which they can be unmounted.
func below(mounts []Mount, folder string) []string {
	var targets []string
	for _, mount := range mounts {
		if mount.Target == folder || strings.HasPrefix(mount.Target, folder+"/") {
			targets = append(targets, mount.Target)
		}
	}
	slices.Reverse(targets)
	return targets
}

// UnmountBelow unmounts everything at and below folder. It fails when something
// stays mounted: deleting the folder would then delete what is mounted there.
func UnmountBelow(folder string) error {
	// A mount table never holds symbolic links.
	if resolved, err := filepath.EvalSymlinks(folder); err == nil {
		folder = resolved
	}
	mounts, err := Mounts()
	if err != nil {
		return err
	}
	var problems []error
	for _, target := range below(mounts, folder) {
		if err := unix.Unmount(target, unix.UMOUNT_NOFOLLOW|unix.MNT_DETACH); err != nil {
			problems = append(problems, fmt.Errorf("unmount %s: %w", target, err))
		}
	}
	left, err := Mounts()
	if err != nil {
		return err
	}
	if remaining := below(left, folder); len(remaining) > 0 {
		return errors.Join(append(problems, fmt.Errorf("still mounted: %s", strings.Join(remaining, ", ")))...)
	}
	return nil
}
