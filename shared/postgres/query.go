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

type txKey struct{}

// within returns a context in which reads of the store see what t has changed,
// and take no connection of their own while t holds one.
func (t *tx) within(ctx context.Context) context.Context { return context.WithValue(ctx, txKey{}, t) }

// db returns the transaction that ctx is within, or the pool.
func (s *Store) db(ctx context.Context) queryer {
	if t, found := ctx.Value(txKey{}).(*tx); found {
		return t
	}
	return s.pool
}

// one returns the pod of a query that gives one row of podColumns. The error
// is pgx.ErrNoRows when it gives none.
func one(ctx context.Context, db queryer, query string, args pgx.StrictNamedArgs) (pods.Pod, error) {
	rows, err := db.Query(ctx, query, named(args))
	if err != nil {
		return pods.Pod{}, err
	}
	return pgx.CollectExactlyOneRow(rows, scanOne)
}

// list returns the pods of a query that gives rows of podColumns.
func list(ctx context.Context, db queryer, query string, args pgx.StrictNamedArgs) ([]pods.Pod, error) {
	rows, err := db.Query(ctx, query, named(args))
	if err != nil {
		return nil, translate(err)
	}
	found, err := pgx.CollectRows(rows, scanOne)
	return found, translate(err)
}
