package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pods-service/pods/cluster/components"
	"github.com/pods-service/pods/cluster/machine"
	"github.com/pods-service/pods/cluster/network"
	"github.com/pods-service/pods/cluster/process"
)

// clean removes all traces of a cluster, whatever state it is in, but what is
// kept in the state folder. It goes on after a failure, so that as little as
// possible is left.
func (c *Cluster) clean(ctx context.Context, kept ...string) error {
	for _, folder := range []string{c.layout.State, c.layout.Run} {
		if err := checkOwner(folder); err != nil {
			return err // nothing in it is ours to unmount or delete
		}
	}
	err := errors.Join(
		c.killAll(ctx),
		c.removeShimSockets(),
		machine.UnmountBelow(c.layout.State),
		machine.UnmountBelow(c.layout.Run),
		c.removeShared(ctx),
		machine.RestoreSysctls(c.layout.Sysctls()),
		c.group.Remove(),
	)
	if err != nil {
		return err // the files still say what is left to do
	}
	return errors.Join(removeFolder(c.layout.Run), removeFolder(c.layout.State, kept...))
}

// killAll ends every process of the cluster: the kubelet first, because it
// would start others again.
func (c *Cluster) killAll(ctx context.Context) error {
	var problems []error
	for _, name := range []string{
		components.Kubelet, components.KubeProxy, components.Scheduler, components.ControllerManager,
		components.Containerd, components.APIServer, components.Etcd,
	} {
		// A component whose record is stale needs nothing; one that never
		// made it into the control group has a record.
		if id, err := process.Load(c.layout.Record(name)); err == nil {
			problems = append(problems, id.Stop(ctx, 0))
		}
	}
	return errors.Join(append(problems, c.group.Kill(ctx))...)
}

// removeShimSockets deletes the sockets that containerd's helpers make in a
// folder all of a machine's containerds share. A killed helper leaves its own.
func (c *Cluster) removeShimSockets() error {
	files, err := filepath.Glob(filepath.Join(c.layout.Tasks(), "*", "address"))
	if err != nil {
		return err
	}
	var problems []error
	for _, file := range files {
		address, err := os.ReadFile(file)
		if err != nil {
			continue // the task ended meanwhile
		}
		socket, found := strings.CutPrefix(strings.TrimSpace(string(address)), "unix://")
		if !found {
			continue
		}
		if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
			problems = append(problems, fmt.Errorf("remove a shim's socket: %w", err))
		}
	}
	return errors.Join(problems...)
}

// removeShared removes the cluster's part of what all programs of a machine
// share. Another Kubernetes here uses the same names for some of it: then that
// stays, and the other one tidies it.
func (c *Cluster) removeShared(ctx context.Context) error {
	removeLinks("/var/log/containers/*.log", c.layout.PodLogs())
	removeMentions("/var/lib/cni/results/*", c.layout.Sandboxes()+"/")
	if others := c.otherKubernetes(); len(others) > 0 {
		c.report("left links and packet filter alone: %s", others[0])
		return nil
	}
	// Files first. A folder goes only when it is empty, from the innermost out.
	for _, path := range []string{
		"/var/lib/kubelet/device-plugins/kubelet.sock", "/var/lib/kubelet/device-plugins/kubelet_internal_checkpoint",
		"/var/log/containers", "/var/lib/cni/results", "/var/lib/cni",
		"/var/lib/kubelet/device-plugins", "/var/lib/kubelet", "/run/containerd/s", "/run/containerd",
	} {
		_ = os.Remove(path)
	}
	return errors.Join(
		network.RemoveBridges(components.NodeBridge, components.PodBridge),
		network.RemoveRules(ctx, components.Network, machine.FindTool),
	)
}

// removeLinks deletes the symbolic links among the files that pattern matches
// which lead below folder. What cannot be deleted is tried again next time.
func removeLinks(pattern, folder string) {
	links, _ := filepath.Glob(pattern) // the patterns are valid
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, folder+"/") {
			_ = os.Remove(link)
		}
	}
}

// removeMentions deletes the files among those that pattern matches in which
// text occurs.
func removeMentions(pattern, text string) {
	files, _ := filepath.Glob(pattern) // the patterns are valid
	for _, file := range files {
		if content, err := os.ReadFile(file); err == nil && bytes.Contains(content, []byte(text)) {
			_ = os.Remove(file)
		}
	}
}

// removeFolder deletes a folder of the cluster, or all in it but what is kept.
// The mark that it is the cluster's goes last, so that a removal which is
// interrupted can be taken up again.
func removeFolder(folder string, kept ...string) error {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look into %s: %w", folder, err)
	}
	for _, entry := range entries {
		if entry.Name() == ownerFile || slices.Contains(kept, entry.Name()) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(folder, entry.Name())); err != nil {
			return fmt.Errorf("remove %s: %w", folder, err)
		}
	}
	if len(kept) > 0 {
		return nil
	}
	if err := os.RemoveAll(folder); err != nil {
		return fmt.Errorf("remove %s: %w", folder, err)
	}
	return nil
}
