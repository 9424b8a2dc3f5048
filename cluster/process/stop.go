package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// pollInterval is how often to look whether a process has ended.
const pollInterval = 20 * time.Millisecond

// Signal sends a signal to the process, and to no other that got its number
// since. The error is ErrGone when the process has ended.
func (id Identity) Signal(signal os.Signal) error {
	// The handle stays with the process it was opened for, so checking after
	// opening and then using the handle leaves no gap.
	handle, err := os.FindProcess(id.PID)
	if err != nil {
		return fmt.Errorf("process %d: %w", id.PID, err)
	}
	defer func() { _ = handle.Release() }() // nothing to lose
	if !id.Running() {
		return fmt.Errorf("process %d: %w", id.PID, ErrGone)
	}
	if err := handle.Signal(signal); errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("process %d: %w", id.PID, ErrGone)
	} else if err != nil {
		return fmt.Errorf("signal process %d: %w", id.PID, err)
	}
	return nil
}

// Stop asks the process to end and, when it has not within grace, kills it. It
// returns once the process is gone. A process that is gone already is success.
func (id Identity) Stop(ctx context.Context, grace time.Duration) error {
	if grace > 0 {
		if err := id.Signal(syscall.SIGTERM); err != nil {
			return unlessGone(err)
		}
		asked, cancel := context.WithTimeout(ctx, grace)
		defer cancel()
		if id.waitGone(asked) == nil {
			return nil
		}
	}
	if err := id.Signal(syscall.SIGKILL); err != nil {
		return unlessGone(err)
	}
	return id.waitGone(ctx)
}

// waitGone returns once the process has ended.
func (id Identity) waitGone(ctx context.Context) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for id.Running() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("process %d still runs: %w", id.PID, ctx.Err())
		case <-ticker.C:
		}
	}
	return nil
}

func unlessGone(err error) error {
	if errors.Is(err, ErrGone) {
		return nil
	}
	return err
}
