package podstest

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/postgres"
)

// created is when the pods of tests are created. Times of real pods have
// fractions of a second too.
var created = time.Date(2030, time.January, 2, 3, 4, 5, 678901000, time.UTC)

// Caller is the user who owns the pods of tests.
func Caller() pods.Caller {
	return pods.Caller{TenantID: "dev", SiteID: "local", Username: "alice"}
}

// Tenant is the tenant of Caller.
func Tenant() pods.Tenant {
	return pods.Tenant{ID: "dev", SiteID: "local", PodsDomain: "pods.localhost"}
}

// Pod returns a pod as the API makes it: REQUESTED, with every default and a
// uid of its own. Its name and its URLs follow from the ids that mutators set.
func Pod(mutators ...func(*pods.Pod)) pods.Pod {
	patch := pods.Patch{
		ID:                   pods.Some("docpod"),
		Image:                pods.Some("dev.local/hello:1"),
		Description:          pods.Some("a pod of a test"),
		EnvironmentVariables: pods.Some(map[string]string{"GREETING": "hello"}),
	}
	pod, err := pods.New(Caller(), Tenant(), patch, pods.NewRules(), uuid.NewString(), created)
	if err != nil {
		panic(err) // the patch above is valid
	}
	pod.K8sName = ""
	for _, mutate := range mutators {
		mutate(&pod)
	}
	if pod.K8sName == "" {
		pod.K8sName = pods.Name(pod.SiteID, pod.TenantID, pod.ID)
	}
	pod.Networking = pods.WithURLs(pod.Networking, pod.ID, Tenant().PodsDomain)
	return pod
}

// Off makes a pod one that was created with status_requested OFF.
func Off(pod *pods.Pod) {
	pod.Status, pod.StatusRequested, pod.Instance = pods.StatusStopped, pods.DesiredOff, 0
}

// ID gives a pod another id.
func ID(id string) func(*pods.Pod) { return func(pod *pods.Pod) { pod.ID = id } }

// InTenant puts a pod into another tenant.
func InTenant(tenantID string) func(*pods.Pod) {
	return func(pod *pods.Pod) { pod.TenantID = tenantID }
}

// Create stores Pod(mutators...) as its owner would.
func Create(t testing.TB, store *postgres.Store, mutators ...func(*pods.Pod)) pods.Pod {
	t.Helper()
	pod := Pod(mutators...)
	stored, err := store.CreatePod(t.Context(), pod, pods.NewCredentials(pod.ID), Caller().Username)
	if err != nil {
		t.Fatalf("create pod %s: %v", pod.ID, err)
	}
	return stored
}

// CreateIn stores Pod(mutators...) and takes it to status by the moves that
// the life cycle has. An AVAILABLE pod has an address and runs since its
// creation. A STOPPED pod is wanted OFF, a DELETING one too.
func CreateIn(t testing.TB, store *postgres.Store, status pods.Status, mutators ...func(*pods.Pod)) pods.Pod {
	t.Helper()
	if status == pods.StatusStopped {
		mutators = append(mutators, Off)
	}
	pod := Create(t, store, mutators...)
	for _, to := range path(status) {
		pod = advance(t, store, pod, to)
	}
	return pod
}

// path lists the statuses that a REQUESTED pod passes on its way to status.
func path(status pods.Status) []pods.Status {
	switch status {
	case pods.StatusSpawnerSetup, pods.StatusDeleting, pods.StatusError:
		return []pods.Status{status}
	case pods.StatusCreating:
		return []pods.Status{pods.StatusSpawnerSetup, status}
	case pods.StatusAvailable, pods.StatusComplete:
		return []pods.Status{pods.StatusSpawnerSetup, pods.StatusCreating, status}
	}
	return nil
}

func advance(t testing.TB, store *postgres.Store, pod pods.Pod, to pods.Status) pods.Pod {
	t.Helper()
	move := pods.Move{Ref: pod.Ref(), By: pods.ActorHealth, To: to}
	var err error
	switch to {
	case pods.StatusSpawnerSetup:
		pod, _, err = store.ClaimPod(t.Context(), pod.Ref())
	case pods.StatusDeleting:
		Wish(t, store, pod, pods.DesiredOff)
		move.By = pods.ActorSpawner
		pod, err = store.Move(t.Context(), move)
	case pods.StatusCreating:
		move.By = pods.ActorSpawner
		pod, err = store.Move(t.Context(), move)
	case pods.StatusAvailable:
		move.Address, move.StartedAt = "10.88.0.7", new(created)
		move.TimeToStop = pod.TimeToStop(created)
		move.Container = &pods.ContainerStatus{Phase: "Running", StartTime: created.Format(time.RFC3339), Ready: true}
		pod, err = store.Move(t.Context(), move)
	default:
		pod, err = store.Move(t.Context(), move)
	}
	if err != nil {
		t.Fatalf("bring pod %s to %s: %v", pod.ID, to, err)
	}
	return pod
}

// Wish sets what the owner wants of a pod and returns the pod.
func Wish(t testing.TB, store *postgres.Store, pod pods.Pod, wish pods.Desired) pods.Pod {
	t.Helper()
	caller := Caller()
	caller.TenantID = pod.TenantID
	changed, err := store.ChangePod(t.Context(), pod.TenantID, pod.ID, caller,
		func(context.Context, pods.Pod, permissions.Set) (postgres.Change, error) {
			return postgres.Change{Wish: wish}, nil
		})
	if err != nil {
		t.Fatalf("want pod %s %s: %v", pod.ID, wish, err)
	}
	return changed
}
