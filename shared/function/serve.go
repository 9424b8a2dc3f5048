package function

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"
	"knative.dev/pkg/network/handlers"
)

const (
	headerTimeout  = 10 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 64 << 10
	// closeReserve is the part of the time to drain that is kept for closing
	// what was opened, once requests have had the rest.
	closeReserve = 5
)

// Serve serves handler until ctx ends, as it does by SIGTERM. Then it answers
// probes with 503, so that no more is sent here, takes what comes until it is
// quiet, lets requests under way finish, and closes what was opened. All that
// takes no longer than the time to drain; what is not done by then is cut off.
// It must be called once.
//
// Errors: a port that fails. To be told to end is none.
func (f *Function) Serve(ctx context.Context, handler http.Handler) error {
	health := healthHandler{ready: f.Ready, next: handler}
	drainer := &handlers.Drainer{Inner: health, HealthCheck: health.probe, QuietPeriod: f.settings.DrainQuiet}
	server := f.newServer(drainer)
	metrics := f.newServer(f.observed())

	group, serving := errgroup.WithContext(ctx)
	group.Go(func() error { return ended(server.Serve(f.listener)) })
	group.Go(func() error { return ended(metrics.Serve(f.metrics)) })
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var work sync.WaitGroup
	for _, fn := range f.work {
		work.Add(1)
		group.Go(func() error {
			defer work.Done()
			return fn(working)
		})
	}
	f.Logger.Info("serving", "address", f.Addr().String(), "metrics", f.MetricsAddr().String(), "version", f.Version)
	<-serving.Done()

	f.Logger.Info("draining")
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.settings.DrainTimeout)
	defer cancel()
	f.drain(ending, drainer, server)
	stop()
	if err := within(ending, work.Wait); err != nil {
		f.Logger.Warn("work was cut off", "error", err)
	}
	f.Close(ending)
	_ = metrics.Close()
	err := group.Wait()
	f.Logger.Info("ended")
	return err
}

// observed serves what operators look at: metrics, and where the time goes.
func (f *Function) observed() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(f.Registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	return mux
}

func (f *Function) newServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(f.Logger.Handler(), slog.LevelDebug),
	}
}

// drain ends the server in good order. It leaves a part of ctx's time.
func (f *Function) drain(ctx context.Context, drainer *handlers.Drainer, server *http.Server) {
	ctx, cancel := context.WithTimeout(ctx, f.settings.DrainTimeout-f.settings.DrainTimeout/closeReserve)
	defer cancel()
	quiet := make(chan struct{})
	go func() {
		drainer.Drain()
		close(quiet)
	}()
	select {
	case <-quiet:
	// A sender that goes on by the connection it has must not use up all the time.
	case <-time.After(f.settings.DrainTimeout / closeReserve):
	}
	if err := server.Shutdown(ctx); err != nil {
		f.Logger.Warn("requests were cut off", "error", err)
		_ = server.Close()
	}
	drainer.Reset() // ends the wait for quiet if it still goes on
}

func ended(err error) error {
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
