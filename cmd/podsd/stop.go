package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/pods-service/pods/shared/servers"
)

// stopCommand ends what another podsd with the same state folder has started.
func stopCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "stop",
		Short: "Stop the service of this state folder and whatever a killed one has left",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := readSettings()
			if err != nil {
				return err
			}
			release, err := lockState(s.State)
			if errors.Is(err, errRunning) {
				release, err = stopRunning(s.State)
			}
			if err != nil {
				return err
			}
			defer release()
			return clearServers(cmd.Context(), s)
		},
	}
}

// stopRunning asks the process that holds the state folder to end, and waits
// until the folder is free: up to a minute, then by force.
func stopRunning(dir string) (release func(), err error) {
	pid, err := lockHolder(dir)
	if err != nil {
		return nil, fmt.Errorf("find the running service: %w", err)
	}
	for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		process, err := os.FindProcess(pid)
		if err != nil {
			return nil, fmt.Errorf("find process %d: %w", pid, err)
		}
		// The lock is held, so the process that wrote its number into it lives
		// and the number cannot be another's by now.
		if err := process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return nil, fmt.Errorf("stop process %d: %w", pid, err)
		}
		for range 300 {
			if release, err = lockState(dir); err == nil {
				return release, nil
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	return nil, fmt.Errorf("process %d does not end", pid)
}

// clearServers ends the database and cache that a killed process has left: to
// start them is what clears away.
func clearServers(ctx context.Context, s settings) error {
	if _, err := os.Stat(serversDir(s)); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	left, err := servers.Start(ctx, servers.Config{Dir: serversDir(s)})
	if err != nil {
		return fmt.Errorf("clear what a killed service has left: %w", err)
	}
	return left.Stop(ctx)
}
