//go:build faults

package faults

import (
	"os"
	"syscall"
)

// Variable names the environment variable that holds the point at which the
// process is to kill itself.
const Variable = "PODS_KILL_AT"

// Point kills the process with SIGKILL when it is the one that Variable names.
func Point(name string) {
	if os.Getenv(Variable) == name {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal is on its way
	}
}
