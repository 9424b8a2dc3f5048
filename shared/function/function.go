package function

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/pods-service/pods/shared/events"
)

// Function is one program of the service while it runs.
type Function struct {
	Name     string
	Version  string
	Logger   *slog.Logger
	Registry *prometheus.Registry
	// Ready is asked by GET /healthz, which answers 503 while it has an error,
	// and not by GET /livez. It must be set before Serve; nil means always.
	Ready func() error

	settings Process
	listener net.Listener // of Port
	metrics  net.Listener // of MetricsPort
	work     []func(context.Context) error
	closers  []func(context.Context) error
}

// New takes the ports of a program and makes its log and metrics. Serve, or
// Close where it does not come to that, frees what it has taken.
func New(name, version string, settings Process) (*Function, error) {
	logger, err := NewLogger(settings.LogLevel)
	if err != nil {
		return nil, err
	}
	f := &Function{
		Name: name, Version: version, Logger: logger.With("function", name), Registry: NewRegistry(), settings: settings,
	}
	if f.listener, err = listen(fmt.Sprintf(":%d", settings.Port)); err != nil {
		return nil, err
	}
	if f.metrics, err = listen(fmt.Sprintf(":%d", settings.MetricsPort)); err != nil {
		return nil, errors.Join(err, f.listener.Close())
	}
	return f, nil
}

func listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return listener, nil
}

// Listen takes another address. It is freed at the end.
func (f *Function) Listen(address string) (net.Listener, error) {
	listener, err := listen(address)
	if err != nil {
		return nil, err
	}
	f.OnClose(func(context.Context) error { return ended(listener.Close()) })
	return listener, nil
}

// Addr returns the address that takes events and REST.
func (f *Function) Addr() net.Addr { return f.listener.Addr() }

// MetricsAddr returns the address that answers /metrics and
// /debug/pprof/profile.
func (f *Function) MetricsAddr() net.Addr { return f.metrics.Addr() }

// Background has work done while Serve serves. Its context ends when requests
// have been drained and is waited for then; an error of it ends Serve.
func (f *Function) Background(work func(context.Context) error) { f.work = append(f.work, work) }

// OnClose has what was opened closed at the end, the last first. The context
// ends when the time to drain does.
func (f *Function) OnClose(closer func(context.Context) error) {
	f.closers = append(f.closers, closer)
}

// Close frees the ports and closes what was opened. Serve does so by itself.
func (f *Function) Close(ctx context.Context) {
	_, _ = f.listener.Close(), f.metrics.Close() // closed already after Serve
	for len(f.closers) > 0 {
		last := len(f.closers) - 1
		if err := f.closers[last](ctx); err != nil {
			f.Logger.WarnContext(ctx, "not closed well", "error", err)
		}
		f.closers = f.closers[:last]
	}
}

// NewLogger writes one JSON object a line to standard error, and becomes the
// default. FlushLog comes before the end of the process.
//
// Errors: for a level other than debug, info, warn and error.
func NewLogger(level string) (*slog.Logger, error) {
	var parsed slog.Level
	if err := parsed.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("PODS_LOG_LEVEL: %w", err)
	}
	logger := slog.New(slog.NewJSONHandler(standardError, &slog.HandlerOptions{Level: parsed}))
	slog.SetDefault(logger)
	return logger, nil
}

// NewRegistry returns a registry with the metrics of the process itself and of
// the events it handles.
func NewRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	events.RegisterHandling(registry)
	return registry
}
