// Package process starts, recognises and ends programs that outlive the one
// that started them.
package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// ErrGone says that a process has ended, or that its number now belongs to
// another one.
var ErrGone = errors.New("process is gone")

// Identity tells a process from every other, whatever program it has become. A
// process number alone does not: the kernel gives it to another process once
// the first one ended.
type Identity struct {
	PID int `json:"pid"`
	// StartTicks is when it started, in clock ticks after boot.
	StartTicks uint64 `json:"start_ticks"`
	// Boot tells one run of the machine from the next, which counts both anew.
	Boot string `json:"boot"`
}

// Identify reads the identity of the running process pid. The error is ErrGone
// when there is none, or only what its parent has not collected yet.
func Identify(pid int) (Identity, error) {
	stat, err := os.ReadFile(procPath(pid, "stat"))
	if err != nil {
		return Identity{}, gone(pid, err)
	}
	state, ticks, err := parseStat(stat)
	if err != nil {
		return Identity{}, fmt.Errorf("process %d: %w", pid, err)
	}
	if state == 'Z' || state == 'X' {
		return Identity{}, fmt.Errorf("process %d: %w", pid, ErrGone)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Identity{}, fmt.Errorf("ask the kernel for its boot ID: %w", err)
	}
	return Identity{PID: pid, StartTicks: ticks, Boot: strings.TrimSpace(string(boot))}, nil
}

// Running reports whether the very process id stands for is still there.
func (id Identity) Running() bool {
	current, err := Identify(id.PID)
	return err == nil && current == id
}

// parseStat returns the state letter and the start time, fields 3 and 22 of
// /proc/PID/stat. Field 2 is the program's name in parentheses and may itself
// hold spaces and parentheses.
func parseStat(stat []byte) (state byte, startTicks uint64, err error) {
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, 0, fmt.Errorf("no program name in stat %q", stat)
	}
	fields := strings.Fields(string(stat[end+1:]))
	const state3, start22 = 0, 19 // counted from field 3
	if len(fields) <= start22 || len(fields[state3]) != 1 {
		return 0, 0, fmt.Errorf("only %d fields in stat %q", len(fields), stat)
	}
	ticks, err := strconv.ParseUint(fields[start22], 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("start time in stat: %w", err)
	}
	return fields[state3][0], ticks, nil
}

func procPath(pid int, name string) string {
	return filepath.Join("/proc", strconv.Itoa(pid), name)
}

// gone turns the errors of reading about an ended process into ErrGone.
func gone(pid int, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("process %d: %w", pid, ErrGone)
	}
	return fmt.Errorf("process %d: %w", pid, err)
}
