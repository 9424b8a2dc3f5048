package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pods-service/pods/cluster/components"
	"github.com/pods-service/pods/cluster/machine"
	"github.com/pods-service/pods/cluster/network"
	"github.com/pods-service/pods/cluster/process"
)

// Down stops the cluster and removes all of it: processes, containers, images,
// mounts, links, packet filter rules, control groups and files. It does nothing
// when there is nothing.
func (c *Cluster) Down(ctx context.Context) error {
	if err := needRoot("stopping the cluster"); err != nil {
		return err
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()

	found := c.leftovers()
	if err := c.clean(ctx, everything); err != nil {
		return fmt.Errorf("stop the cluster: %w", err)
	}
	if found {
		c.report("the cluster is stopped and removed")
	} else {
		c.report("there is no cluster")
	}
	return nil
}

// leftovers reports whether there is anything of a cluster on the machine.
func (c *Cluster) leftovers() bool {
	for _, path := range []string{c.layout.State, c.layout.Run} {
		if _, err := os.Lstat(path); err == nil {
			return true
		}
	}
	return c.group.Exists() || network.Exists(components.NodeBridge, components.PodBridge)
}

// What clean leaves in the state folder.
type extent bool

const (
	everything extent = false
	allButLogs extent = true
)

// clean removes all traces of a cluster, whatever state it is in. It goes on
// after a failure, so that as little as possible is left.
func (c *Cluster) clean(ctx context.Context, extent extent) error {
	err := errors.Join(
		c.killAll(ctx),
		c.removeShimSockets(),
		machine.UnmountBelow(c.layout.State),
		machine.UnmountBelow(c.layout.Run),
		network.RemoveBridges(components.NodeBridge, components.PodBridge),
		c.removeShared(ctx),
		machine.RestoreSysctls(c.layout.Sysctls()),
		c.group.Remove(),
	)
	if err != nil {
		return err // the files still say what is left to do
	}
	if err := os.RemoveAll(c.layout.Run); err != nil {
		return fmt.Errorf("remove %s: %w", c.layout.Run, err)
	}
	return c.removeState(extent)
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
	removeFiles("/var/lib/cni/results/" + components.Network + "-*")
	if len(c.otherKubernetes()) > 0 {
		c.report("left the packet filter alone, because another Kubernetes runs here")
		return nil
	}
	removeFiles("/var/lib/kubelet/device-plugins/kubelet*")
	// Only when they are empty, and from the innermost out.
	for _, folder := range []string{
		"/var/log/containers", "/var/lib/cni/results", "/var/lib/cni",
		"/var/lib/kubelet/device-plugins", "/var/lib/kubelet", "/run/containerd/s", "/run/containerd",
	} {
		_ = os.Remove(folder)
	}
	return network.RemoveRules(ctx, components.Network, machine.FindTool)
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

// removeFiles deletes the files that pattern matches.
func removeFiles(pattern string) {
	files, _ := filepath.Glob(pattern) // the patterns are valid
	for _, file := range files {
		_ = os.Remove(file)
	}
}

// removeState deletes the state folder, or all in it but the logs.
func (c *Cluster) removeState(extent extent) error {
	state := c.layout.State
	if _, err := os.Stat(filepath.Join(state, ownerFile)); err != nil {
		return nil // never made, or not ours
	}
	if extent == everything {
		if err := os.RemoveAll(state); err != nil {
			return fmt.Errorf("remove %s: %w", state, err)
		}
		return nil
	}
	entries, err := os.ReadDir(state)
	if err != nil {
		return fmt.Errorf("look into %s: %w", state, err)
	}
	var problems []error
	for _, entry := range entries {
		if entry.Name() != "logs" && entry.Name() != ownerFile {
			problems = append(problems, os.RemoveAll(filepath.Join(state, entry.Name())))
		}
	}
	return errors.Join(problems...)
}
