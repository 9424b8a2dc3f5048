package function

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"knative.dev/pkg/signals"

	"github.com/pods-service/pods/shared/telemetry"
)

// abortTimeout bounds the closing of a program that could not be built.
const abortTimeout = 5 * time.Second

// Settings is a struct of settings that holds those of the process.
type Settings interface {
	OfProcess() Process
}

// OfProcess returns p: a struct that embeds Process is one of Settings.
func (p Process) OfProcess() Process { return p }

// Build opens what a program needs, has f close it, and returns what serves. It
// must not wait for anything: nobody is answered before it returns.
type Build[T Settings] func(ctx context.Context, f *Function, settings T) (http.Handler, error)

// Main is the main function of a program: it reads the settings from the
// environment, takes the ports, builds and serves until SIGTERM or an
// interrupt. A second signal ends the process at once. What fails is written to
// standard error, and the process ends with status 1.
func Main[T Settings](name, version string, build Build[T]) {
	err := run(signals.NewContext(), name, version, build)
	FlushLog()
	if err != nil {
		fmt.Fprintln(os.Stderr, name+": "+err.Error())
		os.Exit(1)
	}
}

func run[T Settings](ctx context.Context, name, version string, build Build[T]) error {
	settings, err := ReadSettings[T]()
	if err != nil {
		return err
	}
	f, err := New(name, version, settings.OfProcess())
	if err != nil {
		return err
	}
	fitMemory(f.Logger)
	handler, err := traced(ctx, f, settings, build)
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
		defer cancel()
		f.Close(ctx)
		return err
	}
	return f.Serve(ctx, handler)
}

// traced builds once tracing is on, so that it ends last.
func traced[T Settings](ctx context.Context, f *Function, settings T, build Build[T]) (http.Handler, error) {
	stop, err := telemetry.Start(ctx, telemetry.Options{Service: f.Name, Version: f.Version, Logger: f.Logger})
	if err != nil {
		return nil, err
	}
	f.OnClose(stop)
	return build(ctx, f, settings)
}
