package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	assets "github.com/pods-service/pods"
	"github.com/pods-service/pods/shared/document"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/servers"
	"github.com/pods-service/pods/shared/templates"
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

// shipTemplates stores the templates that come with the service and returns the
// reference that one of them means now.
func shipTemplates(ctx context.Context, store *postgres.Store, templateID string) (string, error) {
	catalog, err := document.LoadTemplates(assets.Templates(), pods.NewRules())
	if err != nil {
		return "", err
	}
	if err := store.Ship(ctx, catalog.Tags()); err != nil {
		return "", err
	}
	tag, err := catalog.Tag(ctx, templates.Reference{TemplateID: templateID, Tag: templates.DefaultTag})
	return tag.Reference.String(), err
}
