package machine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNewCgroup(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		mounts      []Mount
		wantParents []string
		wantUnified bool
	}{
		"Version2": {
			[]Mount{{"/sys/fs/cgroup", "cgroup2"}},
			[]string{"/sys/fs/cgroup"}, true,
		},
		"Version1": {
			[]Mount{{"/sys/fs/cgroup", "tmpfs"}, {"/sys/fs/cgroup/cpu,cpuacct", "cgroup"}, {"/sys/fs/cgroup/pids", "cgroup"}},
			[]string{"/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/pids"}, false,
		},
		"Halfway": {
			[]Mount{{"/sys/fs/cgroup/pids", "cgroup"}, {"/sys/fs/cgroup/unified", "cgroup2"}},
			[]string{"/sys/fs/cgroup/pids", "/sys/fs/cgroup/unified"}, false,
		},
		"InAContainer": {
			[]Mount{{"/var/lib/machine/sys/fs/cgroup", "cgroup2"}},
			nil, false,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got := newCgroup("pods", tc.mounts)
			if diff := cmp.Diff(tc.wantParents, got.parents); diff != "" {
				t.Errorf("parents (-want +got):\n%s", diff)
			}
			if got.unified != tc.wantUnified {
				t.Errorf("unified = %t, want %t", got.unified, tc.wantUnified)
			}
		})
	}
}

func TestCgroupMissing(t *testing.T) {
	t.Parallel()

	unified := t.TempDir()
	write(t, filepath.Join(unified, "cgroup.controllers"), "cpuset cpu io memory\n")

	tests := map[string]struct {
		group Cgroup
		want  []string
	}{
		"Version2": {Cgroup{unified: true, parents: []string{unified}}, []string{"pids"}},
		"Version1": {Cgroup{parents: []string{"/x/cpu,cpuacct", "/x/memory", "/x/pids"}}, []string{"cpuset"}},
		"None":     {Cgroup{}, []string{"cpu", "cpuset", "memory", "pids"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if diff := cmp.Diff(tc.want, tc.group.Missing()); diff != "" {
				t.Errorf("Missing (-want +got):\n%s", diff)
			}
		})
	}
}

// The version 1 cpuset controller lets no process into a group without CPUs.
func TestCreateInheritsCPUs(t *testing.T) {
	t.Parallel()

	parent := t.TempDir()
	write(t, filepath.Join(parent, "cpuset.cpus"), "0-1\n")
	write(t, filepath.Join(parent, "cpuset.mems"), "0\n")
	// The kernel makes these files with the folder.
	write(t, filepath.Join(parent, "pods", "cpuset.cpus"), "\n")
	write(t, filepath.Join(parent, "pods", "cpuset.mems"), "1\n")

	group := Cgroup{parents: []string{parent}, name: "pods"}
	if err := group.Create(); err != nil {
		t.Fatalf("Create: %v", err)
	}
	if got := read(t, filepath.Join(parent, "pods", "cpuset.cpus")); got != "0-1\n" {
		t.Errorf("cpuset.cpus = %q, want the parent's", got)
	}
	if got := read(t, filepath.Join(parent, "pods", "cpuset.mems")); got != "1\n" {
		t.Errorf("cpuset.mems = %q, want what was set before", got)
	}
}

// With version 2 every group on the way down must pass the controllers on.
func TestCreateDelegates(t *testing.T) {
	t.Parallel()

	parent := t.TempDir()
	for _, folder := range []string{parent, filepath.Join(parent, "pods")} {
		write(t, filepath.Join(folder, "cgroup.controllers"), "memory\n")
	}
	group := Cgroup{unified: true, parents: []string{parent}, name: "pods"}.Child("system")
	if err := group.Create(); err != nil {
		t.Fatalf("Create: %v", err)
	}
	for _, folder := range []string{parent, filepath.Join(parent, "pods")} {
		if got := read(t, filepath.Join(folder, "cgroup.subtree_control")); got != "+memory" {
			t.Errorf("%s passes on %q, want +memory", folder, got)
		}
	}
	// A process may only be in a group that passes nothing on.
	if _, err := os.Stat(filepath.Join(parent, "pods", "system", "cgroup.subtree_control")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the innermost group passes its controllers on: %v", err)
	}
}

func TestPIDs(t *testing.T) {
	t.Parallel()

	first, second := t.TempDir(), t.TempDir()
	write(t, filepath.Join(first, "pods", "system", "cgroup.procs"), "11\n12\n")
	write(t, filepath.Join(second, "pods", "kubepods", "one", "cgroup.procs"), "12\n13\n0\n")
	write(t, filepath.Join(second, "other", "cgroup.procs"), "99\n")

	group := Cgroup{parents: []string{first, second, filepath.Join(first, "absent")}, name: "pods"}
	if diff := cmp.Diff([]int{11, 12, 13}, slices.Sorted(slices.Values(group.PIDs()))); diff != "" {
		t.Errorf("PIDs (-want +got):\n%s", diff)
	}
}

func TestRemoveInnermostFirst(t *testing.T) {
	t.Parallel()

	parent := t.TempDir()
	for _, folder := range []string{"pods/system", "pods/kubepods/one/two", "other"} {
		if err := os.MkdirAll(filepath.Join(parent, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	group := Cgroup{parents: []string{parent}, name: "pods"}
	if !group.Exists() {
		t.Error("Exists = false before Remove")
	}
	if err := group.Remove(); err != nil {
		t.Fatalf("Remove: %v", err)
	}
	if group.Exists() {
		t.Error("Exists = true after Remove")
	}
	if _, err := os.Stat(filepath.Join(parent, "other")); err != nil {
		t.Errorf("another group is gone: %v", err)
	}
	if err := group.Remove(); err != nil {
		t.Errorf("Remove again: %v", err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
