package postgres_test

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/postgres"
)

// TestMigrateKeepsRows upgrades a database that is in use, one version after the
// other: each migration finds rows in every table that those before it made, in
// the form of their time, and has to keep them. testdata/rows holds the rows for
// the tables and columns that are new in each version.
func TestMigrateKeepsRows(t *testing.T) {
	t.Parallel()

	pool := podstest.Open(t, podstest.EmptyDatabaseURL(t))
	migrations, err := fs.Glob(postgres.Migrations(), "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for i := range migrations {
		version := int64(i + 1)
		before := rowsOf(t, pool)
		if err := postgres.MigrateTo(t.Context(), pool, version); err != nil {
			t.Fatalf("migrate to version %d: %v", version, err)
		}
		for table, rows := range before {
			for _, row := range rows {
				wantRow(t, pool, version, table, row)
			}
		}
		statements, err := os.ReadFile(fmt.Sprintf("testdata/rows/%05d.sql", version))
		if err != nil {
			t.Fatalf("rows for what is new in version %d: %v", version, err)
		}
		if _, err := pool.Exec(t.Context(), string(statements)); err != nil {
			t.Fatalf("insert the rows of version %d: %v", version, err)
		}
		wantNoTableEmpty(t, pool, version)
	}
	wantOldPod(t, postgres.New(pool, postgres.Options{Now: podstest.NewClock().Now}))
}

// rowsOf returns every row of every table as JSON.
func rowsOf(t *testing.T, pool *pgxpool.Pool) map[string][]string {
	t.Helper()
	query := `SELECT relname::text FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'goose_db_version'`
	names := collect(t, pool, query)
	rows := map[string][]string{}
	for _, name := range names {
		rows[name] = collect(t, pool, `SELECT to_jsonb(r)::text FROM `+pgx.Identifier{name}.Sanitize()+` AS r`)
	}
	return rows
}

func collect(t *testing.T, pool *pgxpool.Pool, query string) []string {
	t.Helper()
	rows, err := pool.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// wantRow fails unless the table has a row with all that was in row.
func wantRow(t *testing.T, pool *pgxpool.Pool, version int64, table, row string) {
	t.Helper()
	var found bool
	query := `SELECT EXISTS (SELECT FROM ` + pgx.Identifier{table}.Sanitize() + ` AS r WHERE to_jsonb(r) @> $1::jsonb)`
	if err := pool.QueryRow(t.Context(), query, row).Scan(&found); err != nil || !found {
		t.Errorf("version %d lost a row of %s (%v): %s", version, table, err, row)
	}
}

// wantNoTableEmpty makes sure that the next migration is tested on all of them.
func wantNoTableEmpty(t *testing.T, pool *pgxpool.Pool, version int64) {
	t.Helper()
	for table, rows := range rowsOf(t, pool) {
		if len(rows) == 0 {
			t.Errorf("testdata/rows has no row for table %s of version %d", table, version)
		}
	}
}

// wantOldPod reads a row of the first version as today's service does.
func wantOldPod(t *testing.T, store *postgres.Store) {
	t.Helper()
	pod, set, err := store.Pod(t.Context(), "dev", "old")
	if err != nil {
		t.Fatalf("read a pod of the first version: %v", err)
	}
	if pod.Status != pods.StatusAvailable || pod.Instance != 3 || pod.Networking["default"].Port != 5000 || *pod.Resources.CPURequest != 250 {
		t.Errorf("the pod of the first version is now %+v", pod)
	}
	wantSame(t, "the permissions", set, permissions.Set{{User: "alice", Level: permissions.Admin}, {User: "bob", Level: permissions.Read}})
	lines, err := store.ActionLogs(t.Context(), "dev", "old")
	if err != nil || !slices.ContainsFunc(lines, func(line string) bool { return len(line) > 0 }) {
		t.Errorf("its actions are %q (%v)", lines, err)
	}
}
