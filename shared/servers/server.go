package servers

import (
	"context"
	"fmt"
	"log/slog"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

const (
	readyPoll    = 20 * time.Millisecond
	restartAfter = time.Second // doubled from one failed try to the next
	restartMost  = 30 * time.Second
	restartTime  = 2 * time.Minute // for one try; a database may have much to recover
)

// server keeps one program running between start and stop.
type server struct {
	name    string
	logger  *slog.Logger
	logPath string
	// orphaned is what the kernel sends the program when this process is
	// killed.
	orphaned syscall.Signal
	// clear ends and removes what a killed predecessor has left.
	clear func(context.Context) error
	// prepare makes what the program needs; it finds what is there already.
	prepare func(context.Context) error
	command func() *exec.Cmd
	// ready returns nil once the program answers.
	ready func(context.Context) error

	mu   sync.Mutex
	life *life // nil while stopped
}

// life is the time between a start and the stop that follows.
type life struct {
	cancel context.CancelFunc
	last   chan *process // gives the process over to stop
}

// start returns once the program answers. It does nothing when it is started.
func (s *server) start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life != nil {
		return nil
	}
	p, err := s.launch(ctx)
	if err != nil {
		return err
	}
	s.logger.InfoContext(ctx, "server started", slog.String("server", s.name), slog.Int("pid", p.child.Pid))
	living, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.life = &life{cancel: cancel, last: make(chan *process)}
	go s.keep(living, p, s.life.last)
	return nil
}

// stop ends the program by steps. It does nothing when it is stopped, or when
// there is no server.
func (s *server) stop(ctx context.Context, steps []step) error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life == nil {
		return nil
	}
	s.life.cancel()
	p := <-s.life.last
	s.life = nil
	p.end(ctx, steps)
	s.logger.InfoContext(ctx, "server stopped", slog.String("server", s.name))
	// Parts of the program may outlive it if it had to be killed.
	return s.clear(context.WithoutCancel(ctx))
}

// keep starts the program again whenever it ends by itself, until ctx ends;
// then it hands the process over.
func (s *server) keep(ctx context.Context, p *process, last chan<- *process) {
	for {
		select {
		case <-ctx.Done():
			last <- p
			return
		case <-p.done:
		}
		s.logger.ErrorContext(ctx, "server ended by itself",
			slog.String("server", s.name), slog.String("how", p.state.String()), slog.String("log", s.logPath))
		p = s.relaunch(ctx, p)
	}
}

// relaunch tries to start the program until it succeeds or ctx ends; then it
// returns the process that there was.
func (s *server) relaunch(ctx context.Context, ended *process) *process {
	for wait := restartAfter; ; wait = min(2*wait, restartMost) {
		pause := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			pause.Stop()
			return ended
		case <-pause.C:
		}
		limited, cancel := context.WithTimeout(ctx, restartTime)
		p, err := s.launch(limited)
		cancel()
		if err == nil {
			s.logger.InfoContext(ctx, "server started again", slog.String("server", s.name), slog.Int("pid", p.child.Pid))
			return p
		}
		s.logger.ErrorContext(ctx, "server did not start", slog.String("server", s.name), slog.Any("error", err))
	}
}

// launch starts the program and waits until it answers.
func (s *server) launch(ctx context.Context) (*process, error) {
	if err := s.clear(ctx); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	p, err := run(s.command(), s.logPath, s.orphaned)
	if err != nil {
		return nil, err
	}
	if err := s.await(ctx, p); err != nil {
		p.end(ctx, []step{{syscall.SIGQUIT, time.Second}})
		return nil, err
	}
	return p, nil
}

// await asks whether the program is ready until it is.
func (s *server) await(ctx context.Context, p *process) error {
	poll := time.NewTicker(readyPoll)
	defer poll.Stop()
	for {
		err := s.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended as it started (%s): %s", s.name, p.state, lastLines(s.logPath))
		case <-ctx.Done():
			return fmt.Errorf("%s did not answer in time: %w (its log: %s)", s.name, err, s.logPath)
		case <-poll.C:
		}
	}
}
