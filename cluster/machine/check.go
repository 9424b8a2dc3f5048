// Package machine knows the machine the cluster runs on: what it can do, the
// programs installed on it, its mounts, control groups and kernel settings.
package machine

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Check returns what the machine lacks to run Kubernetes in the control group,
// each problem as a sentence. It loads kernel modules where that helps.
func Check(group Cgroup) []string {
	var problems []string
	if os.Geteuid() != 0 {
		// Without root most of the rest cannot be told.
		return append(missingPackages(problems), "not root: containers, mounts and packet filters need root, so run it as root")
	}
	problems = missingPackages(problems)
	problems = append(problems, missingKernel()...)
	if missing := group.Missing(); len(missing) > 0 {
		problems = append(problems, "the kernel offers no control groups for "+strings.Join(missing, ", ")+
			": mount them below /sys/fs/cgroup, or enable them on the kernel's command line")
	}
	return problems
}

func missingPackages(problems []string) []string {
	if missing := MissingPackages(); len(missing) > 0 {
		problems = append(problems, "missing programs; install them with cluster install, or: "+InstallCommand(missing))
	}
	return problems
}

// missingKernel returns the kernel features that are neither built in nor to be
// had as a module.
func missingKernel() []string {
	var problems []string
	if !has("overlay", func() bool { return fileSystem("overlay") }) {
		problems = append(problems, "the kernel has no overlay file system (module overlay)")
	}
	if !has("br_netfilter", func() bool { return exists("/proc/sys/net/bridge/bridge-nf-call-iptables") }) {
		problems = append(problems, "the kernel cannot filter packets between pods (module br_netfilter)")
	}
	if !exists("/dev/kmsg") {
		problems = append(problems, "the kubelet needs /dev/kmsg, which this machine does not have")
	}
	if name := FindTool("iptables"); name != "" {
		for _, table := range []string{"nat", "filter", "mangle"} {
			command := exec.Command(name, "--wait", "5", "-t", table, "-S") //nolint:gosec // iptables, of this machine
			if output, err := command.CombinedOutput(); err != nil {
				problems = append(problems, fmt.Sprintf("iptables cannot use its table %s: %s", table, strings.TrimSpace(string(output))))
			}
		}
	}
	if !writable("/proc/sys/net/ipv4/ip_forward") {
		problems = append(problems, "kernel settings are read-only here, as in an ordinary container: use a machine, or a privileged container")
	}
	return problems
}

// has reports whether a feature is there, if need be after loading its module.
func has(module string, present func() bool) bool {
	if present() {
		return true
	}
	if modprobe := FindTool("modprobe"); modprobe != "" {
		_ = exec.Command(modprobe, module).Run() //nolint:gosec // fixed names; present says whether it worked
	}
	return present()
}

// fileSystem reports whether the kernel knows a type of file system now.
func fileSystem(name string) bool {
	content, _ := os.ReadFile("/proc/filesystems") // unreadable: unknown
	for line := range strings.Lines(string(content)) {
		if fields := strings.Fields(line); len(fields) > 0 && fields[len(fields)-1] == name {
			return true
		}
	}
	return false
}

func exists(path string) bool {
	_, err := os.Stat(filepath.Clean(path))
	return err == nil
}

// writable reports whether a file can be opened for writing. It writes nothing.
func writable(path string) bool {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return false
	}
	return file.Close() == nil
}
