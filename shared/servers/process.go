package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// maxLog is the size past which a log file is set aside at a start.
const maxLog = 8 << 20

// process is a child that ends when this process does.
type process struct {
	child *os.Process
	done  chan struct{} // closed when it has ended
	state *os.ProcessState
}

// step is one way of asking a process to end, and how long to wait for it.
type step struct {
	signal syscall.Signal
	wait   time.Duration
}

// run starts command with its output in the file logPath. Should this process
// be killed, the kernel sends the child the signal orphaned.
func run(command *exec.Cmd, logPath string, orphaned syscall.Signal) (*process, error) {
	log, err := openLog(logPath)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	command.Stdout, command.Stderr = log, log
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.Setpgid = true // Ctrl-C is for us; we stop it in order
	command.SysProcAttr.Pdeathsig = orphaned

	p := &process{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel sends Pdeathsig when the thread that started the child
		// ends, so this one stays as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := command.Start(); err != nil {
			started <- err
			return
		}
		p.child = command.Process
		started <- nil
		_ = command.Wait() // how it ended is in the state
		p.state = command.ProcessState
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", command.Path, err)
	}
	return p, nil
}

// ended reports whether the process is gone.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// end takes one step after the other until the process is gone. When ctx ends
// it goes through the rest without waiting.
func (p *process) end(ctx context.Context, steps []step) {
	for _, step := range steps {
		if p.ended() {
			return
		}
		_ = p.child.Signal(step.signal) // fails only if it has just ended
		patience := time.NewTimer(step.wait)
		select {
		case <-p.done:
		case <-patience.C:
		case <-ctx.Done():
		}
		patience.Stop()
	}
	_ = p.child.Kill()
	<-p.done
}

// openLog opens a log file to append to. One that has grown large is kept
// aside, in place of the one kept before.
func openLog(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		if err := os.Rename(path, path+".old"); err != nil {
			return nil, fmt.Errorf("set the log aside: %w", err)
		}
	}
	log, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return log, nil
}
