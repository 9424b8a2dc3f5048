package main

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/postgres"
)

func TestMigrate(t *testing.T) {
	t.Parallel()

	logger := slog.New(slog.DiscardHandler)
	url := podstest.EmptyDatabaseURL(t)
	for range 2 { // a deployment is repeated
		if err := migrate(t.Context(), url, logger); err != nil {
			t.Fatal(err)
		}
	}
	store := postgres.New(podstest.Open(t, url), postgres.Options{Key: podstest.Key, Now: time.Now})
	podstest.Create(t, store)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := migrate(ctx, "postgres://127.0.0.1:1/none", logger); err == nil {
		t.Error("a database that is not there was migrated")
	}
}
