package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pods-service/pods/shared/pods"
)

// queryer is met by the pool and by a transaction.
type queryer interface {
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
	Exec(ctx context.Context, query string, args ...any) (pgconn.CommandTag, error)
}

// one returns the pod of a query that gives one row of podColumns. The error
// is pgx.ErrNoRows when it gives none.
func one(ctx context.Context, db queryer, query string, args pgx.StrictNamedArgs) (pods.Pod, error) {
	rows, err := db.Query(ctx, query, args)
	if err != nil {
		return pods.Pod{}, err
	}
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[podRow])
	return row.toPod(), err
}

// list returns the pods of a query that gives rows of podColumns.
func list(ctx context.Context, db queryer, query string, args pgx.StrictNamedArgs) ([]pods.Pod, error) {
	rows, err := db.Query(ctx, query, args)
	if err != nil {
		return nil, translate(err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (pods.Pod, error) {
		r, err := pgx.RowToStructByName[podRow](row)
		return r.toPod(), err
	})
	return found, translate(err)
}
