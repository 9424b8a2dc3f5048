package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// cgroupRoot is where every distribution mounts the control groups.
const cgroupRoot = "/sys/fs/cgroup"

// Controllers the kubelet cannot do without.
var requiredControllers = []string{"cpu", "cpuset", "memory", "pids"}

// Cgroup is one control group, with all below it, in every hierarchy the
// machine has: a single one with version 2, one per controller with version 1,
// and both kinds on machines halfway between the two.
// All processes of the cluster run in one, which is how clean-up finds them
// whatever became of the files that name them.
type Cgroup struct {
	unified bool     // version 2
	parents []string // folders the group is, or is to be, made in
	name    string   // slash-separated path below each parent
}

// NewCgroup returns the group of that name at the top of the machine's
// hierarchies. It creates nothing.
func NewCgroup(name string) (Cgroup, error) {
	mounts, err := Mounts()
	if err != nil {
		return Cgroup{}, err
	}
	return newCgroup(name, mounts), nil
}

func newCgroup(name string, mounts []Mount) Cgroup {
	group := Cgroup{name: name}
	for _, mount := range mounts {
		switch {
		case mount.Type == "cgroup2" && mount.Target == cgroupRoot:
			return Cgroup{unified: true, parents: []string{mount.Target}, name: name}
		case isHierarchy(mount.Type) && filepath.Dir(mount.Target) == cgroupRoot:
			group.parents = append(group.parents, mount.Target)
		}
	}
	return group
}

func isHierarchy(fileSystem string) bool {
	return fileSystem == "cgroup" || fileSystem == "cgroup2"
}

// Missing returns the controllers the kubelet needs and the machine lacks.
func (g Cgroup) Missing() []string {
	var available []string
	if g.unified {
		content, _ := os.ReadFile(filepath.Join(g.parents[0], "cgroup.controllers")) // unreadable: none
		available = strings.Fields(string(content))
	}
	for _, parent := range g.parents {
		available = append(available, strings.Split(filepath.Base(parent), ",")...)
	}
	var missing []string
	for _, controller := range requiredControllers {
		if !slices.Contains(available, controller) {
			missing = append(missing, controller)
		}
	}
	return missing
}

// Child returns the group of that name below g.
func (g Cgroup) Child(name string) Cgroup {
	g.name += "/" + name
	return g
}

// Create makes the group, and with version 2 lets its children use the
// controllers. A group that is there already is success.
func (g Cgroup) Create() error {
	for _, parent := range g.parents {
		folder := parent
		for name := range strings.SplitSeq(g.name, "/") {
			if g.unified {
				if err := delegate(folder); err != nil {
					return err
				}
			}
			above := folder
			folder = filepath.Join(folder, name)
			if err := os.Mkdir(folder, 0o755); err != nil && !errors.Is(err, fs.ErrExist) { //nolint:gosec // as the kernel's own
				return fmt.Errorf("create control group %s: %w", folder, err)
			}
			if err := inheritCPUs(above, folder); err != nil {
				return err
			}
		}
	}
	return nil
}

// delegate lets the children of a version 2 group use its controllers.
func delegate(folder string) error {
	content, err := os.ReadFile(filepath.Join(folder, "cgroup.controllers"))
	if err != nil {
		return fmt.Errorf("read the controllers of %s: %w", folder, err)
	}
	for controller := range strings.FieldsSeq(string(content)) {
		err := os.WriteFile(filepath.Join(folder, "cgroup.subtree_control"), []byte("+"+controller), 0o644) //nolint:gosec // exists
		if err != nil && slices.Contains(requiredControllers, controller) {
			return fmt.Errorf("enable controller %s below %s: %w", controller, folder, err)
		}
	}
	return nil
}

// inheritCPUs fills in what a new group of the version 1 cpuset hierarchy must
// have before a process can enter it.
func inheritCPUs(parent, child string) error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		current, err := os.ReadFile(filepath.Join(child, name))
		if err != nil || strings.TrimSpace(string(current)) != "" {
			continue // not a cpuset hierarchy, or set already
		}
		if isUnified(child) {
			continue // empty means inherited
		}
		inherited, err := os.ReadFile(filepath.Join(parent, name))
		if err != nil {
			return fmt.Errorf("read %s of %s: %w", name, parent, err)
		}
		if err := os.WriteFile(filepath.Join(child, name), inherited, 0o644); err != nil { //nolint:gosec // exists
			return fmt.Errorf("set %s of %s: %w", name, child, err)
		}
	}
	return nil
}

func isUnified(folder string) bool {
	var info unix.Statfs_t
	return unix.Statfs(folder, &info) == nil && info.Type == unix.CGROUP2_SUPER_MAGIC
}
