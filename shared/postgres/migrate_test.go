package postgres_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/postgres"
)

func tables(t *testing.T, store *postgres.Store) []string {
	t.Helper()
	rows, err := podstest.Pool(t, store).Query(t.Context(),
		`SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1`)
	if err != nil {
		t.Fatalf("list tables: %v", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("list tables: %v", err)
	}
	return names
}

func TestMigrateUpDownUp(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	pool := podstest.Pool(t, store)
	pod := podstest.CreateIn(t, store, pods.StatusAvailable)
	log := output{store: store, ref: pod.Ref()}
	log.append(t, "line\n")
	before := stateOf(t, store, pod.TenantID, pod.ID)
	up := tables(t, store)

	if err := postgres.Migrate(t.Context(), pool); err != nil {
		t.Fatalf("Migrate a database that is up to date: %v", err)
	}
	wantSame(t, "the pod", stateOf(t, store, pod.TenantID, pod.ID), before)

	if err := postgres.MigrateDown(t.Context(), pool); err != nil {
		t.Fatalf("migrate down: %v", err)
	}
	wantSame(t, "the tables left", tables(t, store), []string{"goose_db_version"})
	if err := postgres.Migrate(t.Context(), pool); err != nil {
		t.Fatalf("migrate up again: %v", err)
	}
	wantSame(t, "the tables", tables(t, store), up)
	podstest.Create(t, store)
}

// TestMigrateAtOnce starts several processes' worth of migrations together.
func TestMigrateAtOnce(t *testing.T) {
	t.Parallel()

	url := podstest.EmptyDatabaseURL(t)
	migrate := func() error { return postgres.Migrate(t.Context(), podstest.Open(t, url)) }
	for _, err := range atOnce(migrate, migrate, migrate, migrate, migrate, migrate) {
		wantKind(t, "Migrate", err, "")
	}
	store := postgres.New(podstest.Open(t, url), postgres.Options{Now: podstest.NewClock().Now})
	podstest.Create(t, store)
}

// TestEveryTableHasATenant keeps tables from being added without one. What hangs
// on a template, which belongs to the site, has that of its template.
func TestEveryTableHasATenant(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	for _, table := range tables(t, store) {
		switch table {
		case "goose_db_version", "template_permissions", "template_tags":
			continue
		}
		var has bool
		query := `SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = $1::regclass AND attname = 'tenant_id' AND attnotnull)`
		if err := podstest.Pool(t, store).QueryRow(t.Context(), query, table).Scan(&has); err != nil || !has {
			t.Errorf("table %s has no tenant_id (%v)", table, err)
		}
	}
}

// TestStatusesAreChecked has the database itself refuse what the domain does
// not know, and take all that it does.
func TestStatusesAreChecked(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	pool := podstest.Pool(t, store)
	podstest.Create(t, store)
	set := func(ctx context.Context, column string, value string) error {
		_, err := pool.Exec(ctx, "UPDATE pods SET "+column+" = $1", value)
		return err
	}
	for _, status := range pods.Statuses {
		if err := set(t.Context(), "status", string(status)); err != nil {
			t.Errorf("status %s: %v", status, err)
		}
	}
	for _, wish := range []pods.Desired{pods.DesiredOn, pods.DesiredOff, pods.DesiredRestart} {
		if err := set(t.Context(), "status_requested", string(wish)); err != nil {
			t.Errorf("status_requested %s: %v", wish, err)
		}
	}
	for _, column := range []string{"status", "status_requested"} {
		if err := set(t.Context(), column, "available"); err == nil {
			t.Errorf("%s took a value that the domain does not know", column)
		}
	}
}
