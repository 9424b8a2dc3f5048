package postgres_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/postgres"
)

// tenantFor returns a tenant id that no other subtest has.
func tenantFor(parts ...string) func(*pods.Pod) {
	return podstest.InTenant(strings.ToLower(strings.ReplaceAll(strings.Join(parts, "-"), " ", "-")))
}

// state is everything about one pod that a refused request must leave alone.
type state struct {
	Pod         pods.Pod
	Permissions permissions.Set
	Actions     []string
	Events      int // of the pod's tenant
}

func stateOf(t *testing.T, store *postgres.Store, tenantID, podID string) state {
	t.Helper()
	pod, set, err := store.Pod(t.Context(), tenantID, podID)
	if err != nil {
		t.Fatalf("read pod %s: %v", podID, err)
	}
	actions, err := store.ActionLogs(t.Context(), tenantID, podID)
	if err != nil {
		t.Fatalf("read the action log of pod %s: %v", podID, err)
	}
	return state{Pod: pod, Permissions: set, Actions: actions, Events: countEvents(t, store, tenantID)}
}

func countEvents(t *testing.T, store *postgres.Store, tenantID string) (count int) {
	t.Helper()
	query := `SELECT count(*) FROM outbox WHERE tenant_id = $1`
	if err := podstest.Pool(t, store).QueryRow(t.Context(), query, tenantID).Scan(&count); err != nil {
		t.Fatalf("count events: %v", err)
	}
	return count
}

// allow lets everybody delete.
func allow(pods.Pod, permissions.Set) error { return nil }

func wantKind(t *testing.T, what string, err error, want pods.Kind) {
	t.Helper()
	if got := pods.KindOf(err); got != want {
		t.Errorf("%s: kind %q (%v), want %q", what, got, err, want)
	}
}

func wantSame(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// actionTexts are action lines without their times.
func actionTexts(t *testing.T, store *postgres.Store, pod pods.Pod) []string {
	t.Helper()
	lines, err := store.ActionLogs(t.Context(), pod.TenantID, pod.ID)
	if err != nil {
		t.Fatalf("read the action log of pod %s: %v", pod.ID, err)
	}
	for i, line := range lines {
		lines[i] = line[len("06/01/02 15:04: "):]
	}
	return lines
}

// atOnce calls the functions at the same time and returns their errors in
// their order.
func atOnce(calls ...func() error) []error {
	errs := make([]error, len(calls))
	start := make(chan struct{})
	var running sync.WaitGroup
	for i, call := range calls {
		running.Go(func() {
			<-start
			errs[i] = call()
		})
	}
	close(start)
	running.Wait()
	return errs
}

// change is a change that does not look at the pod.
func change(c postgres.Change) func(context.Context, pods.Pod, permissions.Set) (postgres.Change, error) {
	return func(context.Context, pods.Pod, permissions.Set) (postgres.Change, error) { return c, nil }
}
