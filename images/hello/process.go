package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/pods-service/pods/images/hello/web"
)

const (
	// drainTimeout is how long open requests may take to finish. Kubernetes
	// kills a container 30 s after SIGTERM unless told otherwise.
	drainTimeout      = 5 * time.Second
	readHeaderTimeout = 10 * time.Second
	keepAliveTimeout  = 2 * time.Minute
)

// listenFunc opens a listener, as net.Listen does.
type listenFunc func(network, address string) (net.Listener, error)

// process is one run of the program, from its start lines to its exit code.
type process struct {
	cfg    config
	out    *output
	logger *slog.Logger
	listen listenFunc
}

func newProcess(cfg config, stdout io.Writer, listen listenFunc) *process {
	out := &output{w: stdout}
	return &process{cfg: cfg, out: out, logger: slog.New(slog.NewTextHandler(out, nil)), listen: listen}
}

// run serves until ctx ends or the time set with HELLO_EXIT_AFTER is over, and
// returns the exit code.
func (p *process) run(ctx context.Context) int {
	if !wait(ctx, p.cfg.startDelay) {
		return p.stopped()
	}
	listener, err := p.listen("tcp", net.JoinHostPort("", strconv.Itoa(p.cfg.port)))
	if err != nil {
		p.logger.Error("hello cannot listen", "port", p.cfg.port, "error", err)
		return exitFailed
	}
	handler := web.New(web.Options{PodID: p.cfg.podID, Version: programVersion(), Logger: p.logger})
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       keepAliveTimeout,
		ErrorLog:          slog.NewLogLogger(p.logger.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	p.started(listener.Addr())

	if code, ended := p.awaitEnd(ctx, served); ended {
		_ = server.Close() // a program that ends by itself does not drain
		return code
	}
	p.drain(server, handler)
	return p.stopped()
}

// awaitEnd prints ticks until the program has a reason to end. It returns true
// and an exit code when it ends by itself, false when ctx was cancelled.
func (p *process) awaitEnd(ctx context.Context, served <-chan error) (code int, ended bool) {
	var exit, tick <-chan time.Time // nil channels never fire
	if p.cfg.exits {
		exit = time.After(p.cfg.exitAfter)
	}
	if p.cfg.logEvery > 0 {
		ticker := time.NewTicker(p.cfg.logEvery)
		defer ticker.Stop()
		tick = ticker.C
	}
	for ticks := 1; ; ticks++ {
		select {
		case <-ctx.Done():
			return exitOK, false
		case <-exit:
			p.logger.Info("hello ends by itself", "code", p.cfg.exitCode)
			return p.cfg.exitCode, true
		case err := <-served:
			p.logger.Error("hello cannot serve any more", "error", err)
			return exitFailed, true
		case <-tick:
			p.out.line(fmt.Sprintf("tick %d", ticks))
		}
	}
}

// started prints the start line and the lines asked for.
func (p *process) started(address net.Addr) {
	p.logger.Info("hello is listening", "version", programVersion(), "address", address.String(), "pod", p.cfg.podID)
	p.out.numbered(p.cfg.logLines)
	if p.cfg.logNUL {
		p.out.line("nul \x00 and \x00 nul")
	}
}

// drain lets open requests finish, then cuts what is left.
func (p *process) drain(server *http.Server, handler *web.Server) {
	p.logger.Info("hello is stopping", "drain", drainTimeout.String())
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()

	handler.Stop()
	err := server.Shutdown(ctx)
	if err == nil {
		err = handler.Wait(ctx)
	}
	if err != nil {
		p.logger.Warn("hello cut requests that did not finish", "error", err)
		_ = server.Close()
	}
}

// stopped prints the last line of a run that was told to end.
func (p *process) stopped() int {
	p.logger.Info("hello has stopped")
	if p.cfg.finalLine != "" {
		p.out.last(p.cfg.finalLine)
	}
	return exitOK
}

// wait blocks for d and reports whether it passed before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
