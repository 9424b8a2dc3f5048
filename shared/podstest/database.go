package podstest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/postgres"
)

// cleanupTimeout bounds what is done after a test has ended.
const cleanupTimeout = 30 * time.Second

// DatabaseURL returns the address of a new database with the newest schema and
// no rows. It is dropped after the test.
func DatabaseURL(t testing.TB) string {
	t.Helper()
	server := environment(t, "TEST_DATABASE_URL", "Postgres")
	source, err := template(server)
	if err != nil {
		t.Fatalf("make the template database: %v", err)
	}
	return newDatabase(t, server, source)
}

// EmptyDatabaseURL is DatabaseURL for a database without schema.
func EmptyDatabaseURL(t testing.TB) string {
	t.Helper()
	return newDatabase(t, environment(t, "TEST_DATABASE_URL", "Postgres"), "template1")
}

// newDatabase copies a database of the server and drops the copy after the
// test.
func newDatabase(t testing.TB, server, source string) string {
	t.Helper()
	name := "test_" + uuid.NewString()
	create := fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", identifier(name), identifier(source))
	if err := execute(t.Context(), server, create); err != nil {
		t.Fatalf("make a database for the test: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
		defer cancel()
		if err := execute(ctx, server, fmt.Sprintf("DROP DATABASE %s WITH (FORCE)", identifier(name))); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return inDatabase(t, server, name)
}

var (
	templateOnce sync.Once
	templateName string
	errTemplate  error
)

// template names a database with the newest schema, of which there is one on
// the server once this has been called.
func template(server string) (string, error) {
	templateOnce.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		templateName, errTemplate = makeTemplate(ctx, server)
	})
	return templateName, errTemplate
}

// makeTemplate makes the template unless another process has. Its name holds
// a hash of the migrations, so that it is never out of date, and it gets the
// name only when it is finished.
func makeTemplate(ctx context.Context, server string) (string, error) {
	const lock = `SELECT pg_advisory_lock(hashtextextended('podstest template', 0))`
	const find = `SELECT EXISTS (SELECT FROM pg_database WHERE datname = @name)`

	hash, err := schemaHash()
	if err != nil {
		return "", err
	}
	name, unfinished := "template_"+hash, "template_"+hash+"_new"
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx) // which gives the lock free
	if _, err := conn.Exec(ctx, lock); err != nil {
		return "", err
	}
	var exists bool
	if err := conn.QueryRow(ctx, find, pgx.StrictNamedArgs{"name": name}).Scan(&exists); err != nil || exists {
		return name, err
	}
	for _, statement := range []string{
		"DROP DATABASE IF EXISTS " + identifier(unfinished) + " WITH (FORCE)",
		"CREATE DATABASE " + identifier(unfinished),
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return "", err
		}
	}
	if err := migrate(ctx, server, unfinished); err != nil {
		return "", err
	}
	_, err = conn.Exec(ctx, fmt.Sprintf("ALTER DATABASE %s RENAME TO %s", identifier(unfinished), identifier(name)))
	return name, err
}

func migrate(ctx context.Context, server, database string) error {
	address, err := withDatabase(server, database)
	if err != nil {
		return err
	}
	pool, err := postgres.Open(ctx, address, 2)
	if err != nil {
		return err
	}
	defer pool.Close()
	return postgres.Migrate(ctx, pool)
}

// schemaHash names the schema that the migrations make.
func schemaHash() (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(postgres.Migrations(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(postgres.Migrations(), path)
		fmt.Fprintf(sum, "%s\x00%s\x00", path, text)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)[:8]), err
}

func execute(ctx context.Context, server, statement string) error {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

func inDatabase(t testing.TB, server, name string) string {
	t.Helper()
	address, err := withDatabase(server, name)
	if err != nil {
		t.Fatalf("TEST_DATABASE_URL: %v", err)
	}
	return address
}

// withDatabase returns server, in URL form, with another database in it.
func withDatabase(server, name string) (string, error) {
	address, err := url.Parse(server)
	if err != nil {
		return "", errors.New("it must be a URL") // the cause would show a password
	}
	address.Path = "/" + name
	return address.String(), nil
}

func identifier(name string) string { return pgx.Identifier{name}.Sanitize() }
