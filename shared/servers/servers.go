// Package servers runs Postgres and Redis for one process, from the programs
// installed on this machine, with all their files in a folder of its own. No
// database of the system is touched, and no TCP port is opened: both listen on
// Unix sockets only.
//
// Postgres asks the kernel who connects (peer authentication) and lets only
// this process's user in, so there is no password that could leak. Redis's
// socket is closed to other users as well. As root, the servers run as the
// users "postgres" and "redis" that the Debian packages make.
//
// The servers end with the process, however it ends. What a killed one leaves
// is cleared at the next start, and a server that ends by itself is started
// again.
package servers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// Config says how to run the servers.
type Config struct {
	// Dir holds everything: data, sockets, logs. It is made if it is missing.
	// As root, other users are allowed to pass through it, and they must be
	// able to pass through the folders above it.
	Dir string
	// Scratch trades safety for speed: a crash of the machine may lose or
	// spoil the data. For tests.
	Scratch bool
	// TimeZone is the database's own; empty means UTC.
	TimeZone string
	// Logger is told of starts and of servers that end by themselves; nil
	// means that nobody is.
	Logger *slog.Logger
}

// Servers are a running Postgres and Redis. Methods may be called at once.
type Servers struct {
	// DatabaseURL and RedisURL are how to reach them. They hold no secret and
	// do not change when a server is stopped and started.
	DatabaseURL string
	RedisURL    string

	lock     *os.File
	postgres *server
	redis    *server
}

// Start brings up both servers and returns once they answer. The database
// "pods" belongs to the role "pods", which may make further databases.
//
// It fails when another process has the folder in use, and when a program is
// missing: the error then names the package to install. ctx bounds the start
// alone.
func Start(ctx context.Context, config Config) (_ *Servers, err error) {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Dir, err = filepath.Abs(config.Dir); err != nil {
		return nil, fmt.Errorf("find the servers' folder: %w", err)
	}
	lock, err := lockDir(config.Dir)
	if err != nil {
		return nil, err
	}
	s := &Servers{lock: lock}
	defer func() {
		if err != nil {
			_ = s.Stop(context.WithoutCancel(ctx))
		}
	}()
	database, err := newPostgres(config)
	if err != nil {
		return nil, err
	}
	keyValue, err := newRedis(config)
	if err != nil {
		return nil, err
	}
	s.DatabaseURL, s.RedisURL = database.url(), keyValue.url()
	s.postgres, s.redis = database.server(config), keyValue.server(config)

	both := make(chan error, 2)
	go func() { both <- s.StartPostgres(ctx) }()
	go func() { both <- s.StartRedis(ctx) }()
	if err := errors.Join(<-both, <-both); err != nil {
		return nil, err
	}
	return s, nil
}

// Stop ends both servers, Postgres last, and gives the folder free. Clients
// that are still connected have two seconds to leave. When ctx ends, what is
// left is ended by force.
func (s *Servers) Stop(ctx context.Context) error {
	defer s.lock.Close()
	return errors.Join(s.redis.stop(ctx, redisSteps), s.postgres.stop(ctx, patientSteps))
}

// StartPostgres starts Postgres if StopPostgres has stopped it.
func (s *Servers) StartPostgres(ctx context.Context) error { return s.postgres.start(ctx) }

// StopPostgres ends Postgres and cuts off its clients. It stays down until
// StartPostgres.
func (s *Servers) StopPostgres(ctx context.Context) error { return s.postgres.stop(ctx, promptSteps) }

// StartRedis starts Redis if StopRedis has stopped it; it is empty then.
func (s *Servers) StartRedis(ctx context.Context) error { return s.redis.start(ctx) }

// StopRedis ends Redis. It stays down until StartRedis.
func (s *Servers) StopRedis(ctx context.Context) error { return s.redis.stop(ctx, redisSteps) }

// Remove ends what a killed process has left running in dir and removes dir
// with all data.
//
// Errors: ErrInUse while a process uses it.
func Remove(ctx context.Context, dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("find the servers' folder: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	for _, name := range []string{"redis", "postgres"} {
		home := filepath.Join(dir, name)
		if err := endOrphans(ctx, home, 5*time.Second); err != nil {
			return err
		}
		if err := os.RemoveAll(socketDir(home)); err != nil {
			return fmt.Errorf("remove the sockets of %s: %w", home, err)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove the servers' folder: %w", err)
	}
	return nil
}
