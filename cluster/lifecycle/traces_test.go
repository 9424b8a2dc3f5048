//go:build cluster

package lifecycle_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/pods-service/pods/cluster/machine"
	"github.com/pods-service/pods/cluster/process"
)

// traces is all that a cluster changes on a machine, one line per thing.
type traces struct {
	Links, Routes, Rules, Mounts, Processes, Cgroups, Files, Sysctls []string
}

// look notes what there is now. Two looks are equal when nothing was left in
// between.
func look(t *testing.T) traces {
	t.Helper()
	return traces{
		Links: links(t), Routes: routes(t), Rules: rules(t), Mounts: mounts(t),
		Processes: processes(t), Cgroups: cgroups(t), Files: files(t), Sysctls: sysctls(t),
	}
}

func links(t *testing.T) []string {
	t.Helper()
	list, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, link := range list {
		names = append(names, link.Attrs().Name)
	}
	slices.Sort(names)
	return names
}

func routes(t *testing.T) []string {
	t.Helper()
	list, err := netlink.RouteList(nil, netlink.FAMILY_ALL)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, route := range list {
		lines = append(lines, route.String())
	}
	slices.Sort(lines)
	return lines
}

// rules returns the packet filter's rules and its chains but the built-in
// ones, which are made with the first rule and do nothing.
func rules(t *testing.T) []string {
	t.Helper()
	var lines []string
	for _, program := range []string{"iptables-save", "ip6tables-save"} {
		output, err := exec.CommandContext(t.Context(), machine.FindTool(program)).Output()
		if err != nil {
			t.Fatalf("%s: %v", program, err)
		}
		for line := range strings.Lines(string(output)) {
			if strings.HasPrefix(line, "-A ") || strings.Contains(line, " - [") {
				lines = append(lines, program+": "+line)
			}
		}
	}
	return lines
}

func mounts(t *testing.T) []string {
	t.Helper()
	list, err := machine.Mounts()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, mount := range list {
		lines = append(lines, mount.Type+" on "+mount.Target)
	}
	slices.Sort(lines)
	return lines
}

// processes returns the command lines that have to do with this test's cluster.
func processes(t *testing.T) []string {
	t.Helper()
	pids, err := process.PIDs()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, pid := range pids {
		line := strings.Join(process.Arguments(pid), " ")
		if pid != os.Getpid() && process.SameNetwork(pid) || strings.Contains(line, runFolder) {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines
}

// cgroups returns the control groups of this test's cluster.
func cgroups(t *testing.T) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && strings.Contains(path, filepath.Base(runFolder)) {
			found = append(found, path)
		}
		return nil // groups come and go
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// files returns what is in the folders Kubernetes is known to write to.
func files(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, root := range append([]string{runFolder, runFolder + ".lock", "/var/log/pods", "/etc/cni", "/opt/containerd", "/usr/libexec/kubernetes"}, sharedFolders...) {
		_ = filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err == nil && path != root {
				found = append(found, path)
			}
			return nil // most of them are not there
		})
	}
	return found
}

// volatile are kernel settings that change by themselves, and those of a link,
// which go with it.
var volatile = regexp.MustCompile(`^/proc/sys/(net/ipv[46]/(conf|neigh)/(veth|pods-)|fs/|kernel/(random|ns_last_pid|pty|perf|sched)|` +
	`net/netfilter/nf_conntrack_count|vm/(drop|stat)|dev/|debug/|sunrpc/|abi/)`)

func sysctls(t *testing.T) []string {
	t.Helper()
	var lines []string
	for _, root := range []string{"/proc/sys/net", "/proc/sys/kernel", "/proc/sys/vm"} {
		_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || volatile.MatchString(path) {
				return nil
			}
			if content, err := os.ReadFile(path); err == nil {
				lines = append(lines, path+" = "+strings.TrimSpace(string(content)))
			}
			return nil // many cannot be read
		})
	}
	return lines
}
