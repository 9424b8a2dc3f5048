package knative

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
)

// ticksPerSecond is the unit of times in /proc on every architecture that Go
// runs on.
const ticksPerSecond = 100

// containerID returns the id of the pod's container that does the work, beside
// which Knative puts one of its own. Empty while it does not run.
func containerID(pod corev1.Pod) string {
	for _, status := range pod.Status.ContainerStatuses {
		if status.Name == "queue-proxy" || status.State.Running == nil {
			continue
		}
		_, id, _ := strings.Cut(status.ContainerID, "://")
		return id
	}
	return ""
}

// processes returns the numbers of the processes of a container on this
// machine, by the name of their cgroup, of either version.
func processes(container string) ([]int, error) {
	if container == "" {
		return nil, errors.New("the container does not run")
	}
	files, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		return nil, err
	}
	var found []int
	for _, file := range files {
		groups, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(groups, []byte(container)) {
			continue // it has ended, or is another's
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			return nil, err
		}
		found = append(found, pid)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("container %s has no process on this machine", container)
	}
	return found, nil
}

// killContainer ends all that runs in a container with SIGKILL.
func killContainer(container string) error {
	pids, err := processes(container)
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill process %d: %w", pid, err)
		}
	}
	return nil
}

// age returns for how long a container has run: since its first process was
// started, to a hundredth of a second.
func age(container string) (time.Duration, error) {
	pids, err := processes(container)
	if err != nil {
		return 0, err
	}
	var oldest time.Duration
	for _, pid := range pids {
		running, err := processAge(pid)
		if err != nil {
			return 0, err
		}
		oldest = max(oldest, running)
	}
	return oldest, nil
}

func processAge(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may hold anything; the start is the 20th field
	// after it.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 {
		return 0, fmt.Errorf("/proc/%d/stat is too short", pid)
	}
	ticks, err := strconv.ParseInt(fields[19], 10, 64)
	if err != nil {
		return 0, err
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0, err
	}
	started := time.Duration(ticks) * (time.Second / ticksPerSecond)
	return time.Duration(now.Nano()) - started, nil
}
