// Package lifecycle starts the local cluster, stops it, and says how it is.
package lifecycle

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/pods-service/pods/cluster/components"
	"github.com/pods-service/pods/cluster/machine"
	"github.com/pods-service/pods/cluster/process"
)

// Cluster is the one cluster of this machine. Its methods may run in several
// processes at once: a lock lets one at a time change anything.
type Cluster struct {
	layout  components.Layout
	out     io.Writer
	group   machine.Cgroup // everything the cluster runs
	started time.Time
}

// New returns the cluster that keeps its files as layout says, running or not.
// It tells out what it does, one line per step.
func New(layout components.Layout, out io.Writer) (*Cluster, error) {
	// A Unix socket's path may have 107 bytes; this is the longest one.
	if longest := layout.Containerd() + ".ttrpc"; len(longest) > 107 {
		return nil, fmt.Errorf("the folder for sockets, %s, has too long a path", layout.Run)
	}
	group, err := machine.NewCgroup(layout.Cgroup())
	if err != nil {
		return nil, err
	}
	return &Cluster{layout: layout, out: out, group: group, started: time.Now()}, nil
}

// Layout returns where the cluster keeps its files.
func (c *Cluster) Layout() components.Layout { return c.layout }

// needRoot explains why nothing works without root.
func needRoot(what string) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("%s needs root", what)
	}
	return nil
}

// report prints a step that is done, and how long after the beginning.
func (c *Cluster) report(format string, args ...any) {
	fmt.Fprintf(c.out, "%5.1f s  %s\n", time.Since(c.started).Seconds(), fmt.Sprintf(format, args...))
}

// components that are processes, and whether they run.
func (c *Cluster) running() map[string]process.Identity {
	running := map[string]process.Identity{}
	for _, name := range components.Names() {
		if id, err := process.Load(c.layout.Record(name)); err == nil {
			running[name] = id
		}
	}
	return running
}

// start starts a component and notes which process it is.
func (c *Cluster) start(name string) (*process.Child, error) {
	command := c.layout.Command(name, machine.FindTool(components.Containerd), machine.SearchPath())
	child, err := process.Start(command)
	if err != nil {
		return nil, fmt.Errorf("%s: %w%s", name, err, c.logTail(name))
	}
	if err := c.group.Child("system").Add(child.PID); err != nil {
		return nil, fmt.Errorf("%s: %w%s", name, err, c.logTail(name))
	}
	if err := child.Save(c.layout.Record(name)); err != nil {
		return nil, err
	}
	return child, nil
}

// logTail returns the last lines a component logged, to end an error with.
func (c *Cluster) logTail(name string) string {
	const lines, maxLine, maxBytes = 15, 300, 16 << 10
	file, err := os.Open(c.layout.Log(name))
	if err != nil {
		return ""
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > maxBytes {
		_, _ = file.Seek(-maxBytes, io.SeekEnd) // else the first lines will do
	}
	content, _ := io.ReadAll(io.LimitReader(file, maxBytes))
	all := strings.Split(strings.TrimSpace(string(content)), "\n")
	last := all[max(0, len(all)-lines):]
	for i, line := range last {
		last[i] = line[:min(maxLine, len(line))]
	}
	return fmt.Sprintf("\nlast lines of %s:\n  %s", file.Name(), strings.Join(last, "\n  "))
}

// await calls probe until it succeeds. It gives up when ctx ends or the blamed
// component does, and then shows that component's log. There need not be one to
// blame.
func (c *Cluster) await(ctx context.Context, what string, blamed *child, probe func(context.Context) error) error {
	var exited <-chan struct{}
	log := func() string { return "" }
	if blamed != nil {
		exited = blamed.Exited
		log = func() string { return c.logTail(blamed.name) }
	}
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := probe(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-exited:
			return fmt.Errorf("%s: %s ended%s", what, blamed.name, log())
		case <-ctx.Done():
			return fmt.Errorf("%s: %w; last answer: %w%s", what, context.Cause(ctx), err, log())
		case <-ticker.C:
		}
	}
}

// child is a component this process has started.
type child struct {
	*process.Child
	name string
}
