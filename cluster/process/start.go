package process

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// Command says how to start a program that is to outlive its starter.
type Command struct {
	Path string   // absolute path of the program
	Args []string // without the program's own name
	Env  []string // the whole environment, KEY=value
	Dir  string   // working folder
	Log  string   // file that receives its output; emptied first
}

// Child is a program that this process has started.
type Child struct {
	Identity
	// Exited is closed when the program has ended.
	Exited <-chan struct{}
}

// Start runs the command in a session of its own, so that neither a closed
// terminal nor Ctrl-C reaches it.
func Start(command Command) (*Child, error) {
	log, err := os.OpenFile(command.Log, os.O_CREATE|os.O_WRONLY|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	defer log.Close()

	program := exec.Command(command.Path, command.Args...) //nolint:gosec // starting programs is what this is for
	program.Env = command.Env
	program.Dir = command.Dir
	program.Stdout = log
	program.Stderr = log
	program.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := program.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", command.Path, err)
	}
	// It cannot be collected before Wait below, so its number is still its own.
	id, err := Identify(program.Process.Pid)
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = program.Wait() // how it ended is in its log
	}()
	if err != nil {
		return nil, fmt.Errorf("%s ended at once: %w", command.Path, err)
	}
	return &Child{Identity: id, Exited: exited}, nil
}
