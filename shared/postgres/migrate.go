package postgres

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the pool's database to the newest version of the schema. It
// may run in several processes at once: one migrates, the others wait.
func Migrate(ctx context.Context, pool *pgxpool.Pool) error {
	return withProvider(pool, func(provider *goose.Provider) error {
		_, err := provider.Up(ctx)
		return err
	})
}

// Migrations returns the numbered files that Migrate applies, for tools that
// tell versions of the schema apart.
func Migrations() fs.FS {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return files
}

// withProvider calls fn with a provider on a connection of its own, which has
// no time limit on statements: an index on a large table takes its time.
func withProvider(pool *pgxpool.Pool, fn func(*goose.Provider) error) error {
	config := pool.Config().ConnConfig
	config.RuntimeParams["statement_timeout"] = "0"
	config.RuntimeParams["lock_timeout"] = "0"
	db := stdlib.OpenDB(*config)
	defer db.Close()

	// Tried once a second for as long as ten minutes.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 600))
	if err != nil {
		return fmt.Errorf("make the migration lock: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, Migrations(), goose.WithSessionLocker(locker))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if err := fn(provider); err != nil {
		return fmt.Errorf("migrate the database: %w", translate(err))
	}
	return nil
}
