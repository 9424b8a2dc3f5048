package postgres

import (
	"context"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"
)

// named are named arguments as pgx.StrictNamedArgs has them, for queries that
// run with every request: each text, of which there must be few, is read for its
// names once and not every time.
type named pgx.StrictNamedArgs

// rewritten is a query with numbers in the place of the names.
type rewritten struct {
	query string
	names []any // strings, by number
}

var rewrittenQueries sync.Map // of rewritten, by the text with names

// RewriteQuery implements pgx.QueryRewriter.
//
// Errors: arguments that are missing, and those that the query does not name.
func (n named) RewriteQuery(ctx context.Context, conn *pgx.Conn, query string, args []any) (string, []any, error) {
	found, known := rewrittenQueries.Load(query)
	if !known {
		names := make(pgx.StrictNamedArgs, len(n))
		for name := range n {
			names[name] = name
		}
		text, order, err := names.RewriteQuery(ctx, conn, query, args)
		if err != nil {
			return "", nil, err
		}
		found, _ = rewrittenQueries.LoadOrStore(query, rewritten{text, order})
	}
	r := found.(rewritten)
	values := make([]any, len(r.names))
	for i, name := range r.names {
		value, given := n[name.(string)]
		if !given || len(n) != len(r.names) {
			return "", nil, fmt.Errorf("arguments do not fit the query, which takes %v", r.names)
		}
		values[i] = value
	}
	return r.query, values, nil
}
