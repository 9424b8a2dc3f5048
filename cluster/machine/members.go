package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Add moves the process pid into the group.
func (g Cgroup) Add(pid int) error {
	for _, parent := range g.parents {
		file := filepath.Join(parent, g.name, "cgroup.procs")
		if err := os.WriteFile(file, []byte(strconv.Itoa(pid)), 0o644); err != nil { //nolint:gosec // exists
			return fmt.Errorf("move process %d to %s: %w", pid, file, err)
		}
	}
	return nil
}

// PIDs returns the processes in the group and in all groups below it.
func (g Cgroup) PIDs() []int {
	var pids []int
	for _, folder := range g.folders() {
		content, err := os.ReadFile(filepath.Join(folder, "cgroup.procs"))
		if err != nil {
			continue // removed meanwhile
		}
		for field := range strings.FieldsSeq(string(content)) {
			if pid, err := strconv.Atoi(field); err == nil && pid > 0 && !slices.Contains(pids, pid) {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// folders returns the group and all below it, children before their parents.
func (g Cgroup) folders() []string {
	var folders []string
	for _, parent := range g.parents {
		_ = filepath.WalkDir(filepath.Join(parent, g.name), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				folders = append(folders, path)
			}
			return nil // groups come and go while we look
		})
	}
	slices.Reverse(folders)
	return folders
}

// Kill ends every process in the group and below, and returns once all are
// gone. It does not wait for them to finish anything.
func (g Cgroup) Kill(ctx context.Context) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		pids := g.PIDs()
		if len(pids) == 0 {
			return nil
		}
		for _, pid := range pids {
			// Read a moment ago from a group that only ours can be in. Gone
			// meanwhile is as good.
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("processes %v in %s cannot be killed: %w", pids, g.name, ctx.Err())
		case <-ticker.C:
		}
	}
}

// Remove deletes the group and all below it. None may hold a process any more.
func (g Cgroup) Remove() error {
	var problems []error
	for _, folder := range g.folders() {
		if err := os.Remove(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
			problems = append(problems, fmt.Errorf("remove control group: %w", err))
		}
	}
	return errors.Join(problems...)
}

// Exists reports whether the group is there in any hierarchy.
func (g Cgroup) Exists() bool {
	return len(g.folders()) > 0
}
