package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	assets "github.com/pods-service/pods"
	"github.com/pods-service/pods/shared/document"
	"github.com/pods-service/pods/shared/function"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/postgres"
)

// databasePatience is how long migrate waits for a database that does not
// answer: one that was made with it may still be starting.
const databasePatience = 2 * time.Minute

// migrateSettings are few: there is no state folder where a deployment migrates.
type migrateSettings struct {
	DatabaseURL string `env:"DATABASE_URL,required,notEmpty"`
	LogLevel    string `env:"PODS_LOG_LEVEL" envDefault:"info"`
}

// migrateCommand brings a database to the schema of this version and stores the
// templates that come with it.
func migrateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database at DATABASE_URL to the schema and the templates of this version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := function.ReadSettings[migrateSettings]()
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
	catalog, err := document.LoadTemplates(assets.Templates(), pods.NewRules())
	if err != nil {
		return fmt.Errorf("load templates: %w", err)
	}
	if err := postgres.New(pool, postgres.Options{Now: time.Now}).Ship(ctx, catalog.Tags()); err != nil {
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
