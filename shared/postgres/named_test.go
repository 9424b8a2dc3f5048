package postgres_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/postgres"
)

// TestNamedIsAsPgxHasIt asks twice, since the second time is another way.
func TestNamedIsAsPgxHasIt(t *testing.T) {
	t.Parallel()

	const query = `SELECT @two, @one, @two, '@none', x.y FROM t -- @none either`
	tests := map[string]pgx.StrictNamedArgs{
		"Fits":    {"one": 1, "two": "2"},
		"Other":   {"one": nil, "two": []int{3}},
		"Missing": {"one": 1},
		"Unknown": {"one": 1, "two": 2, "three": 3},
		"Instead": {"one": 1, "three": 3},
		"None":    {},
	}
	for name, args := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			wantQuery, wantArgs, wantErr := args.RewriteQuery(t.Context(), nil, query, nil)
			for range 2 {
				gotQuery, gotArgs, err := postgres.Named(args).RewriteQuery(t.Context(), nil, query, nil)
				if (err != nil) != (wantErr != nil) || gotQuery != wantQuery && err == nil {
					t.Errorf("%q, %v; want %q, %v", gotQuery, err, wantQuery, wantErr)
				}
				if diff := cmp.Diff(wantArgs, gotArgs); err == nil && diff != "" {
					t.Errorf("arguments (-want +got):\n%s", diff)
				}
			}
		})
	}
}
