package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// residentMiB returns the memory that a process has in use.
func residentMiB(pid int) (float64, error) { return memoryMiB(pid, "VmRSS:") }

// peakMiB returns the most memory that a process has had in use since its start
// or the last forgetPeak.
func peakMiB(pid int) (float64, error) { return memoryMiB(pid, "VmHWM:") }

// forgetPeak has peakMiB begin anew.
func forgetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// memoryMiB returns a figure of a process that /proc has in KiB.
func memoryMiB(pid int, name string) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if value, found := strings.CutPrefix(line, name); found {
			kib, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("process %d has no %s", pid, name)
}

// ownCPU returns the CPU time that this process has used, to the microsecond.
func ownCPU() (time.Duration, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, fmt.Errorf("read this process's CPU time: %w", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}

// clockTick is the unit of CPU times in /proc: the kernel's USER_HZ, which is
// 100 on every architecture that Go has.
const clockTick = 10 * time.Millisecond

// process is one line of the machine's process table.
type process struct {
	pid, parent int
	command     string        // the words of its command line
	cpu         time.Duration // its own and that of its ended children
}

// processes returns the process table. Processes that end meanwhile are left
// out.
func processes() []process {
	paths, _ := filepath.Glob("/proc/[0-9]*") // the pattern is well formed
	var table []process
	for _, path := range paths {
		stat, err1 := os.ReadFile(filepath.Join(path, "stat"))
		line, err2 := os.ReadFile(filepath.Join(path, "cmdline"))
		// The name in parentheses may hold spaces, so fields count from after it:
		// the parent is the second, utime, stime, cutime and cstime the 12th to
		// the 15th.
		_, rest, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(rest)
		if err1 != nil || err2 != nil || len(fields) < 15 {
			continue
		}
		p := process{command: strings.ReplaceAll(string(line), "\x00", " ")}
		p.pid, _ = strconv.Atoi(filepath.Base(path)) // the kernel writes numbers, here and below
		p.parent, _ = strconv.Atoi(fields[1])
		for _, field := range fields[11:15] {
			ticks, _ := strconv.ParseInt(field, 10, 64)
			p.cpu += time.Duration(ticks) * clockTick
		}
		table = append(table, p)
	}
	return table
}

// processCPU returns the CPU time of a process, 0 for one that is not there.
func processCPU(pid int) time.Duration {
	for _, p := range processes() {
		if p.pid == pid {
			return p.cpu
		}
	}
	return 0
}

// postgresCPU returns the CPU time of the Postgres that this process has
// started.
func postgresCPU() time.Duration {
	table, servers := processes(), map[int]bool{}
	total := time.Duration(0)
	for _, p := range table {
		if p.parent == os.Getpid() && strings.Contains(p.command, "postgres") {
			servers[p.pid] = true
			total += p.cpu
		}
	}
	for _, p := range table {
		if servers[p.parent] {
			total += p.cpu
		}
	}
	return total
}

// apiServerCPU returns the CPU time of the API servers on this machine.
func apiServerCPU() time.Duration {
	total := time.Duration(0)
	for _, p := range processes() {
		if strings.Contains(p.command, "kube-apiserver") {
			total += p.cpu
		}
	}
	return total
}
