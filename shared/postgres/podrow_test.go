package postgres_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/postgres"
)

// TestColumnsInTheOrderOfFields: rows are read by their order, where two texts
// could change places unnoticed.
func TestColumnsInTheOrderOfFields(t *testing.T) {
	t.Parallel()

	var want, got []string
	for field := range reflect.TypeFor[postgres.PodRow]().Fields() {
		want = append(want, field.Tag.Get("db"))
	}
	for column := range strings.SplitSeq(postgres.PodColumns, ",") {
		got = append(got, strings.TrimPrefix(strings.TrimSpace(column), "p."))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("columns (-fields +query):\n%s", diff)
	}
}
