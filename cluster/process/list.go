package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// PIDs returns the number of every process on the machine.
func PIDs() ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// Arguments returns the command line of the process pid, its name first. It is
// empty for a thread of the kernel and for a process that is gone.
func Arguments(pid int) []string {
	content, err := os.ReadFile(procPath(pid, "cmdline"))
	if err != nil || len(content) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(content), "\x00"), "\x00")
}

// SameNetwork reports whether the process pid shares this process's network
// namespace: only then can their ports and addresses clash.
func SameNetwork(pid int) bool {
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return true
	}
	other, err := os.Readlink(procPath(pid, "ns/net"))
	return err == nil && own == other
}
