package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const orphanPoll = 20 * time.Millisecond

// programs are the names under which a server's processes may run.
var programs = []string{"postgres", "redis-server", "redis-check-rdb", "valkey-server", "initdb"}

// endOrphans ends the servers that a killed process has left running in home.
// The folder is locked and nobody else runs anything in it, so all that works
// there is meant: first it is asked to stop, and killed when it takes longer
// than patience.
func endOrphans(ctx context.Context, home string, patience time.Duration) error {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	poll := time.NewTicker(orphanPoll)
	defer poll.Stop()
	signal, asked := syscall.SIGINT, map[int]bool{}
	for {
		found, err := orphans(home)
		if err != nil || len(found) == 0 {
			return err
		}
		for _, pid := range found {
			if !asked[pid] || signal == syscall.SIGKILL {
				asked[pid] = true
				_ = syscall.Kill(pid, signal) // it may have ended meanwhile
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("processes %v still work in %s: %w", found, home, ctx.Err())
		case <-deadline.C:
			signal = syscall.SIGKILL
		case <-poll.C:
		}
	}
}

// orphans lists the servers whose working folder is home or below it: both
// servers keep theirs in their data.
func orphans(home string) ([]int, error) {
	home, err := filepath.EvalSymlinks(home)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for processes in %s: %w", home, err)
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var found []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || !worksIn(pid, home) {
			continue
		}
		found = append(found, pid)
	}
	return found, nil
}

// worksIn reports whether a process is a server whose working folder is home
// or below it. Processes that are not ours to look at are not.
func worksIn(pid int, home string) bool {
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	dir, err := os.Readlink(filepath.Join(proc, "cwd"))
	if err != nil || dir != home && !strings.HasPrefix(dir, home+"/") {
		return false
	}
	program, err := os.Readlink(filepath.Join(proc, "exe"))
	if err != nil {
		return false
	}
	// An upgrade of the package marks programs that still run as deleted.
	return slices.Contains(programs, strings.TrimSuffix(filepath.Base(program), " (deleted)"))
}
