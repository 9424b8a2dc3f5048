package postgres_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/postgres"
)

// namedRow is a row whose values tell the names or numbers of their columns.
type namedRow []string

// Scan implements pgx.Row.
func (r namedRow) Scan(dest ...any) error {
	dest = dest[0].(postgres.Planned)
	if len(dest) != len(r) {
		return fmt.Errorf("%d destinations for %d columns", len(dest), len(r))
	}
	for i, column := range r {
		at := time.Unix(int64(i), 0)
		switch to := dest[i].(type) {
		case *string:
			*to = column
		case *[]string:
			*to = []string{column}
		case *int64:
			*to = int64(i)
		case **int64:
			*to = new(int64(i))
		case *time.Time:
			*to = at
		case **time.Time:
			*to = &at
		case *map[string]string:
			*to = map[string]string{column: ""}
		}
	}
	return nil
}

// TestColumnsInTheOrderOfFields: rows are read by their order, where two texts
// could change places unnoticed.
func TestColumnsInTheOrderOfFields(t *testing.T) {
	t.Parallel()

	var row namedRow
	at := map[string]int64{}
	for column := range strings.SplitSeq(postgres.PodColumns, ",") {
		name := strings.TrimPrefix(strings.TrimSpace(column), "p.")
		at[name] = int64(len(row))
		row = append(row, name)
	}
	got, err := postgres.ScanPod(row)
	if err != nil {
		t.Fatal(err)
	}
	moment := func(column string) time.Time { return time.Unix(at[column], 0).UTC() }
	want := pods.Pod{
		TenantID: "tenant_id", SiteID: "site_id", ID: "pod_id", UID: "uid", Instance: at["instance"], K8sName: "k8s_name",
		Spec: pods.Spec{
			Image: "image", Template: "template", Description: "description",
			Command: []string{"command"}, Arguments: []string{"arguments"},
			EnvironmentVariables: map[string]string{"environment_variables": ""},
			TimeToStopDefault:    at["time_to_stop_default"], TimeToStopInstance: new(at["time_to_stop_instance"]),
			ComputeQueue: "compute_queue",
		},
		Modified: []string{"modified"},
		Status:   "status", StatusRequested: "status_requested", StatusSince: moment("status_since"), Address: "address",
		StartedBy:  "started_by",
		CreationTS: moment("creation_ts"), UpdateTS: moment("update_ts"),
		StartInstanceTS: new(moment("start_instance_ts")), TimeToStopTS: new(moment("time_to_stop_ts")),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pod (-columns +scanned):\n%s", diff)
	}
}
