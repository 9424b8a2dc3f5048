package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/servers"
)

// startServers starts a Postgres of the benchmark's own in a new folder;
// scratch leaves its disk writes to the kernel.
func startServers(ctx context.Context, scratch bool) (dir string, running *servers.Servers, err error) {
	if dir, err = os.MkdirTemp("", "pods-bench-"); err != nil {
		return "", nil, err
	}
	running, err = servers.Start(ctx, servers.Config{Dir: dir, Scratch: scratch})
	if err != nil {
		return dir, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return dir, running, nil
}

// stopServers stops what startServers has started and removes its folder.
func stopServers(running *servers.Servers, dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return errors.Join(running.Stop(ctx), servers.Remove(ctx, dir))
}

// openDatabase returns a pool on a database with the newest schema.
func openDatabase(ctx context.Context, url string) (*pgxpool.Pool, error) {
	pool, err := postgres.Open(ctx, url, 2*atOnce)
	if err != nil {
		return nil, err
	}
	if err := postgres.Migrate(ctx, pool); err != nil {
		pool.Close()
		return nil, fmt.Errorf("migrate the database: %w", err)
	}
	return pool, nil
}
