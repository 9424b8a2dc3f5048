package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/pods-service/pods/shared/function"
	"github.com/pods-service/pods/shared/postgres"
)

// databasePatience is how long migrate waits for a database that does not
// answer: one that was made with it may still be starting.
const databasePatience = 2 * time.Minute

// migrateCommand brings a database to the schema of this version.
func migrateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database at DATABASE_URL to the schema of this version",
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
			return migrate(cmd.Context(), s.DatabaseURL, logger)
		},
	}
}

func migrate(ctx context.Context, url string, logger *slog.Logger) error {
	if url == "" {
		return errors.New("DATABASE_URL is not set: migrate works on a database that somebody else runs")
	}
	pool, err := postgres.Open(ctx, url, 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := waitForDatabase(ctx, pool, logger); err != nil {
		return err
	}
	if err := postgres.Migrate(ctx, pool); err != nil {
		return err
	}
	logger.Info("the database is up to date")
	return nil
}

func waitForDatabase(ctx context.Context, pool *pgxpool.Pool, logger *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, databasePatience)
	defer cancel()
	for {
		err := pool.Ping(ctx)
		if err == nil {
			return nil
		}
		logger.Info("the database does not answer yet", "error", err)
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the database: %w", err)
		case <-time.After(time.Second):
		}
	}
}
