package machine

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// policyPath is the program Debian's package scripts ask before they start a
// service.
const policyPath = "/usr/sbin/policy-rc.d"

// policyMark is in every policy this package writes, so that one left behind by
// a run that was killed is known as ours.
const policyMark = "# temporary: pods-cluster"

// denyServiceStarts makes every package script that wants to start a service
// skip it, until restore is called. A policy that was there before is kept
// beside it and put back. A run that was killed in between is put right first.
func denyServiceStarts(path string) (restore func() error, err error) {
	if err := restorePolicy(path); err != nil {
		return nil, err
	}
	if err := os.Rename(path, savedPolicy(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("set the service policy aside: %w", err)
	}
	const denied = 101 // action forbidden by policy
	script := fmt.Sprintf("#!/bin/sh\n%s\nexit %d\n", policyMark, denied)
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil { //nolint:gosec // must be executable
		return nil, errors.Join(fmt.Errorf("write the service policy: %w", err), restorePolicy(path))
	}
	return func() error { return restorePolicy(path) }, nil
}

// RestorePolicy lets package scripts start services again after an Install that
// was killed. It does nothing when there is nothing to undo.
func RestorePolicy() error { return restorePolicy(policyPath) }

func restorePolicy(path string) error {
	content, err := os.ReadFile(path)
	if err == nil && bytes.Contains(content, []byte(policyMark)) {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("remove the temporary service policy: %w", err)
		}
	}
	if _, err := os.Lstat(path); err == nil {
		return nil // someone else's: leave it
	}
	if err := os.Rename(savedPolicy(path), path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("put the service policy back: %w", err)
	}
	return nil
}

func savedPolicy(path string) string {
	return path + ".before-pods-cluster"
}
