//go:build cluster

package lifecycle_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// insideVariable is set for the run of this test binary that is alone with its
// network and mounts.
const insideVariable = "CLUSTER_TEST_INSIDE"

// sharedFolders are the folders in which Kubernetes leaves things whatever it
// is told. The tests get their own.
var sharedFolders = []string{"/var/lib/kubelet", "/var/lib/cni", "/var/log/containers", "/run/containerd"}

// TestMain runs the tests in namespaces of their own, so that they neither
// disturb a cluster on this machine nor see it.
func TestMain(m *testing.M) {
	if os.Getenv(insideVariable) == "" {
		os.Exit(runInside())
	}
	if err := isolate(); err != nil {
		fmt.Fprintln(os.Stderr, "cannot isolate the tests:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// runInside runs this test binary again in new namespaces.
func runInside() int {
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "the tests of a whole cluster need root")
		return 1
	}
	for _, folder := range sharedFolders {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.Remove(folder) // only when it is empty, as when we made it
	}
	command := exec.Command("/proc/self/exe", os.Args[1:]...)
	command.Env = append(os.Environ(), insideVariable+"=1")
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
	if err := command.Run(); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return exit.ExitCode()
		}
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// isolate makes what the new namespaces lack.
func isolate() error {
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(loopback); err != nil {
		return err
	}
	for _, folder := range sharedFolders {
		if err := unix.Mount("tmpfs", folder, "tmpfs", 0, ""); err != nil {
			return fmt.Errorf("mount on %s: %w", folder, err)
		}
	}
	return nil
}
