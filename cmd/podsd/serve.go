package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/pods-service/pods/shared/function"
	"github.com/pods-service/pods/shared/servers"
	"github.com/pods-service/pods/shared/telemetry"
)

// How long the parts have to end once the process is told to.
const (
	drainTimeout   = 20 * time.Second // requests and deliveries under way
	serversTimeout = 15 * time.Second
	tracingTimeout = 5 * time.Second // spans that are left
)

func serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the service until it is told to end",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := readSettings()
			if err != nil {
				return err
			}
			logger, err := function.NewLogger(s.LogLevel)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), s, logger)
		},
	}
}

// serve runs the service until ctx ends, then ends its parts in the order in
// which they need one another.
func serve(ctx context.Context, s settings, logger *slog.Logger) error {
	release, err := lockState(s.State)
	if err != nil {
		return err
	}
	defer release()

	own, err := startServers(ctx, &s, logger)
	if err != nil {
		return err
	}
	defer stopOwn(own, logger)

	stopTracing, err := telemetry.Start(ctx, telemetry.Options{Service: "podsd", Version: version, Logger: logger})
	if err != nil {
		return err
	}
	defer endTracing(stopTracing, logger)
	service, err := build(ctx, s, logger)
	if err != nil {
		return err
	}
	defer service.close()
	if err := writeAddresses(s.State, service.addresses); err != nil {
		return err
	}
	defer func() { _ = os.Remove(addressFile(s.State)) }()
	logger.Info("the service is up", "api", service.addresses.API,
		"gateway_http", service.addresses.GatewayHTTP, "gateway_https", service.addresses.GatewayHTTPS)
	err = service.run(ctx)
	logger.Info("the service has ended")
	return err
}

// startServers starts the database and the cache that the settings do not name
// and puts their addresses into s. The result is nil when both are named.
func startServers(ctx context.Context, s *settings, logger *slog.Logger) (*servers.Servers, error) {
	if s.DatabaseURL != "" && s.RedisURL != "" {
		return nil, nil
	}
	own, err := servers.Start(ctx, servers.Config{Dir: serversDir(*s), Logger: logger})
	if err != nil {
		return nil, fmt.Errorf("start database and cache: %w", err)
	}
	if s.DatabaseURL == "" {
		s.DatabaseURL = own.DatabaseURL
	}
	if s.RedisURL == "" {
		s.RedisURL = own.RedisURL
	}
	return own, nil
}

// endTracing sends the spans that are left.
func endTracing(stop func(context.Context) error, logger *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), tracingTimeout)
	defer cancel()
	if err := stop(ctx); err != nil {
		logger.Warn("the last spans are lost", "error", err)
	}
}

func serversDir(s settings) string { return filepath.Join(s.State, "servers") }

func stopOwn(own *servers.Servers, logger *slog.Logger) {
	if own == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), serversTimeout)
	defer cancel()
	if err := own.Stop(ctx); err != nil {
		logger.Error("database and cache did not end well", "error", err)
	}
}

// run serves until ctx ends or a part fails, and then ends everything.
func (s *service) run(ctx context.Context) error {
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return ended(s.api.Serve(s.apiListener)) })
	group.Go(func() error { return s.gateway.Run(running) })
	group.Go(func() error { return s.work(running) })
	group.Go(func() error { return s.limiter.Run(running) })
	group.Go(func() error {
		<-running.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(running), drainTimeout)
		defer cancel()
		return s.api.Shutdown(ctx)
	})
	err := group.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	// What is cut short stays in the outbox for the next start.
	if err := s.publisher.Close(ctx); err != nil {
		s.logger.Warn("deliveries were cut short", "error", err)
	}
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func ended(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
