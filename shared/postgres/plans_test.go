package postgres_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/postgres"
)

// TestPlannedRows: rows of many kinds that have as many columns, read by turns
// over one connection, come out as each of them is.
func TestPlannedRows(t *testing.T) {
	t.Parallel()

	conn, err := podstest.Pool(t, podstest.Store(t)).Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	for range 3 {
		var text string
		var number int64
		if err := conn.QueryRow(t.Context(), `SELECT 'a', 1::bigint`).Scan(postgres.Planned{&text, &number}); err != nil || text != "a" || number != 1 {
			t.Fatalf("read %q, %d: %v", text, number, err)
		}
		var list []string
		var at *time.Time
		if err := conn.QueryRow(t.Context(), `SELECT '["b"]'::jsonb, '2026-01-02T03:04:05Z'::timestamptz`).Scan(postgres.Planned{&list, &at}); err != nil {
			t.Fatal(err)
		}
		if len(list) != 1 || list[0] != "b" || at == nil || at.UTC().Format(time.RFC3339) != "2026-01-02T03:04:05Z" {
			t.Fatalf("read %q, %v", list, at)
		}
		// The types of before, from other columns, one of which is null.
		if err := conn.QueryRow(t.Context(), `SELECT ARRAY['c', 'd'], NULL::timestamptz`).Scan(postgres.Planned{&list, &at}); err != nil {
			t.Fatal(err)
		}
		if strings.Join(list, "") != "cd" || at != nil {
			t.Fatalf("read %q, %v", list, at)
		}
	}
}

// TestPlannedRowsThatDoNotFit are refused, and the connection goes on.
func TestPlannedRowsThatDoNotFit(t *testing.T) {
	t.Parallel()

	conn, err := podstest.Pool(t, podstest.Store(t)).Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	var text string
	if err := conn.QueryRow(t.Context(), `SELECT 'a', 'b'`).Scan(postgres.Planned{&text}); err == nil {
		t.Error("one target takes two columns")
	}
	var wrong pgx.ScanArgError
	if err := conn.QueryRow(t.Context(), `SELECT NULL::text AS missing`).Scan(postgres.Planned{&text}); !errors.As(err, &wrong) || wrong.FieldName != "missing" {
		t.Errorf("null into a text: %v, want the column named", err)
	}
	if err := conn.QueryRow(t.Context(), `SELECT 'a'`).Scan(postgres.Planned{&text}); err != nil || text != "a" {
		t.Errorf("read %q afterwards: %v", text, err)
	}
}
