package postgres_test

import (
	"testing"
	"time"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/postgres"
)

func TestUpdateContainer(t *testing.T) {
	t.Parallel()

	clock := podstest.NewClock()
	store := podstest.Store(t, podstest.WithClock(clock))
	for _, from := range pods.Statuses {
		t.Run(string(from), func(t *testing.T) {
			t.Parallel()

			pod := podstest.CreateIn(t, store, from, tenantFor("container", string(from)))
			before := stateOf(t, store, pod.TenantID, pod.ID)
			news := pods.ContainerStatus{Phase: "Running", Message: "back-off", RestartCount: 3}

			err := store.UpdateContainer(t.Context(), pod.Ref(), news)
			if from == pods.StatusStopped || from == pods.StatusRequested {
				wantKind(t, "news of a container that is not there", err, pods.KindConflict)
				wantSame(t, "the pod", stateOf(t, store, pod.TenantID, pod.ID), before)
				return
			}
			wantKind(t, "UpdateContainer", err, "")
			want := before
			want.Pod.StatusContainer, want.Events = news, before.Events+1
			wantSame(t, "the pod", stateOf(t, store, pod.TenantID, pod.ID), want)

			if err := store.UpdateContainer(t.Context(), pod.Ref(), news); err != nil {
				t.Errorf("UpdateContainer with what is known: %v", err)
			}
			wantSame(t, "the pod after old news", stateOf(t, store, pod.TenantID, pod.ID), want)
		})
	}
}

func TestUpdateContainerTellsOfIt(t *testing.T) {
	t.Parallel()

	clock := podstest.NewClock()
	store := podstest.Store(t, podstest.WithClock(clock))
	pod := podstest.CreateIn(t, store, pods.StatusCreating)
	now := clock.Advance(time.Minute)
	if err := store.UpdateContainer(t.Context(), pod.Ref(), pods.ContainerStatus{Phase: "Pending", Message: "a\x00b\xff"}); err != nil {
		t.Fatalf("UpdateContainer: %v", err)
	}
	got := stateOf(t, store, pod.TenantID, pod.ID).Pod
	if got.StatusContainer.Message != "ab\uFFFD" || !got.UpdateTS.Equal(now) || !got.StatusSince.Equal(pod.StatusSince) {
		t.Errorf("message %q, updated %v, in status since %v; want the message without NUL, now, and the old time",
			got.StatusContainer.Message, got.UpdateTS, got.StatusSince)
	}
	outbox := podstest.Outbox(t, store)
	wantSame(t, "the last event", outbox[len(outbox)-1].Type(), events.TypePodUpdated)
}

func TestOverview(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	var active, all []pods.Pod
	for _, status := range pods.Statuses { // their tenants are in the order of the ids
		pod := podstest.CreateIn(t, store, status, tenantFor("of", string(status)))
		if status == pods.StatusDeleting {
			pod.StatusRequested = pods.DesiredOff
		}
		all = append(all, pod)
		if status != pods.StatusStopped {
			active = append(active, pod)
		}
	}
	restarted := podstest.CreateIn(t, store, pods.StatusStopped, tenantFor("of", "restart"))
	restarted = podstest.Wish(t, store, restarted, pods.DesiredRestart)
	active, all = append(active, restarted), append(all, restarted)

	got, err := store.Overview(t.Context())
	if err != nil {
		t.Fatalf("Overview: %v", err)
	}
	wantSame(t, "Overview", byTenant(got), byTenant(active))
	got, err = store.Everything(t.Context())
	if err != nil {
		t.Fatalf("Everything: %v", err)
	}
	wantSame(t, "Everything", byTenant(got), byTenant(all))
}

func TestUnsettled(t *testing.T) {
	t.Parallel()

	clock := podstest.NewClock()
	store := podstest.Store(t, podstest.WithClock(clock))
	var running pods.Pod
	want := map[string]bool{}
	for _, status := range pods.Statuses {
		pod := podstest.CreateIn(t, store, status, tenantFor("of", string(status)))
		switch status {
		case pods.StatusAvailable:
			running = pod
		case pods.StatusRequested, pods.StatusSpawnerSetup, pods.StatusCreating, pods.StatusDeleting:
			want[pod.TenantID] = true
		}
	}
	for name, wish := range map[string]struct {
		from pods.Status
		wish pods.Desired
	}{
		"stopped-restart": {pods.StatusStopped, pods.DesiredRestart},
		"running-off":     {pods.StatusAvailable, pods.DesiredOff},
		"ended-restart":   {pods.StatusComplete, pods.DesiredRestart},
	} {
		pod := podstest.CreateIn(t, store, wish.from, tenantFor("of", name))
		podstest.Wish(t, store, pod, wish.wish)
		want[pod.TenantID] = true
	}
	wantUnsettled(t, store, nil, want)
	want[running.TenantID] = true
	wantUnsettled(t, store, []string{running.K8sName, "nobody"}, want)
	clock.Advance(running.TimeToStopTS.Sub(clock.Now())) // the time to stop has come
	wantUnsettled(t, store, nil, want)
}

func wantUnsettled(t *testing.T, store *postgres.Store, k8sNames []string, want map[string]bool) {
	t.Helper()
	rows, err := store.Unsettled(t.Context(), k8sNames)
	if err != nil {
		t.Fatalf("Unsettled: %v", err)
	}
	got := map[string]bool{}
	for _, pod := range rows {
		got[pod.TenantID] = true
	}
	wantSame(t, "the unsettled pods", got, want)
}

func byTenant(list []pods.Pod) map[string]pods.Pod {
	found := map[string]pods.Pod{}
	for _, pod := range list {
		found[pod.TenantID] = pod
	}
	return found
}

func TestPodByK8sName(t *testing.T) {
	t.Parallel()

	store := podstest.Store(t)
	pod := podstest.Create(t, store)
	podstest.Create(t, store, podstest.InTenant("dev2"))

	got, err := store.PodByK8sName(t.Context(), pod.K8sName)
	if err != nil {
		t.Fatalf("PodByK8sName: %v", err)
	}
	wantSame(t, "the pod", got, pod)
	_, err = store.PodByK8sName(t.Context(), pod.K8sName+"x")
	wantKind(t, "an unknown name", err, pods.KindNotFound)
}
