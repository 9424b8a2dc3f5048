package kube

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	k8stesting "k8s.io/client-go/testing"

	"github.com/pods-service/pods/shared/manifests"
	"github.com/pods-service/pods/shared/pods"
)

// mainContainer is a status in which the pod's container is in that state.
func mainContainer(phase corev1.PodPhase, state corev1.ContainerState) corev1.PodStatus {
	return corev1.PodStatus{
		Phase: phase, PodIP: "10.1.2.3",
		ContainerStatuses: []corev1.ContainerStatus{{Name: manifests.ContainerName, State: state, Ready: state.Running != nil}},
	}
}

func waiting(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

func running(at time.Time) corev1.ContainerState {
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(at)}}
}

func ended(code int32, reason string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, StartedAt: metav1.NewTime(testNow)}}
}

func TestObservedState(t *testing.T) {
	t.Parallel()

	type seen struct {
		State     State
		ExitCode  int32
		Reason    string
		Message   string
		Ready     bool
		StartedAt time.Time
	}
	noAddress := mainContainer(corev1.PodRunning, running(testNow))
	noAddress.PodIP = ""
	evicted := mainContainer(corev1.PodFailed, running(testNow))
	evicted.Reason, evicted.Message = "Evicted", "The node was low on memory."
	tests := map[string]struct {
		status corev1.PodStatus
		want   seen
	}{
		"JustMade": {corev1.PodStatus{Phase: corev1.PodPending}, seen{State: StateWaiting}},
		"Unschedulable": {corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/1 nodes",
		}}}, seen{State: StateWaiting, Reason: "Unschedulable", Message: "0/1 nodes"}},
		"Pulling": {mainContainer(corev1.PodPending, waiting("ContainerCreating", "")),
			seen{State: StateWaiting, Reason: "ContainerCreating"}},
		"Running": {mainContainer(corev1.PodRunning, running(testNow)),
			seen{State: StateRunning, Ready: true, StartedAt: testNow}},
		"RunningWithoutAddress": {noAddress, seen{State: StateWaiting, Ready: true, StartedAt: testNow}},
		"Succeeded": {mainContainer(corev1.PodSucceeded, ended(0, "Completed")),
			seen{State: StateSucceeded, Reason: "Completed", StartedAt: testNow}},
		"EndedBeforePhase": {mainContainer(corev1.PodRunning, ended(0, "Completed")),
			seen{State: StateSucceeded, Reason: "Completed", StartedAt: testNow}},
		"Failed": {mainContainer(corev1.PodFailed, ended(137, "OOMKilled")),
			seen{State: StateFailed, ExitCode: 137, Reason: "OOMKilled", StartedAt: testNow}},
		"EvictedWithStaleContainer": {evicted,
			seen{State: StateFailed, Reason: "Evicted", Message: "The node was low on memory.", Ready: true, StartedAt: testNow}},
		"OtherContainer": {corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.1.2.3", ContainerStatuses: []corev1.ContainerStatus{
			{Name: "sidecar", State: running(testNow), Ready: true},
		}}, seen{State: StateWaiting}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			object := build(t, testPod(nil)).Pod
			object.Status = tc.status
			client, _ := testClient(object)
			o, err := client.Observe(t.Context(), object.Name)
			if err != nil {
				t.Fatalf("Observe: %v", err)
			}
			got := seen{o.State, o.ExitCode, o.Reason, o.Message, o.Ready, o.StartedAt}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("observed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestObserveIdentity(t *testing.T) {
	t.Parallel()

	pod := testPod(nil)
	client, _ := testClient(terminating(existing(t, pod), testNow.Add(-time.Minute))...)
	o, err := client.Observe(t.Context(), pod.K8sName)
	if err != nil {
		t.Fatalf("Observe: %v", err)
	}
	if !o.IsRun(pod.Ref()) || o.TenantID != pod.TenantID || o.PodID != pod.ID {
		t.Errorf("observed %+v, want run %v", o, pod.Ref())
	}
	if o.IsRun(testPod(instance(4)).Ref()) || o.IsLife("other") {
		t.Error("taken for another run or life")
	}
	if want := testNow.Add(-time.Minute); !o.TerminatingSince.Equal(want) {
		t.Errorf("terminating since %v, want %v", o.TerminatingSince, want)
	}
}

func TestObserveNothing(t *testing.T) {
	t.Parallel()

	client, api := testClient()
	if o, err := client.Observe(t.Context(), "no-such-pod"); o != nil || err != nil {
		t.Errorf("Observe = %v, %v, want nothing", o, err)
	}
	api.PrependReactor("get", "pods", func(k8stesting.Action) (bool, runtime.Object, error) { return true, nil, outage() })
	if o, err := client.Observe(t.Context(), "no-such-pod"); o != nil || pods.KindOf(err) != pods.KindUnavailable {
		t.Errorf("Observe without API server = %v, %v, want unavailable", o, err)
	}
}

func TestListOwnPodsFromCache(t *testing.T) {
	t.Parallel()

	foreign := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "foreign", Namespace: testNamespace}}
	client, api := testClient(existing(t, testPod(nil))[0], foreign)
	all, err := client.List(t.Context())
	if err != nil || len(all.Pods) != 1 || !all.Pods[0].IsRun(testPod(nil).Ref()) {
		t.Fatalf("List = %+v, %v, want the one pod of the service", all, err)
	}
	list := api.Actions()[0].(k8stesting.ListActionImpl)
	if list.ListOptions.ResourceVersion != "0" {
		t.Errorf("list asks for version %q, want the server's cache", list.ListOptions.ResourceVersion)
	}
}

func TestChangesFail(t *testing.T) {
	t.Parallel()

	expired := apierrors.NewResourceExpired("too old")
	tests := map[string]struct {
		opening error          // of the watch
		told    *metav1.Status // by the watch
		want    func(error) bool
	}{
		"Expired":     {expired, nil, func(err error) bool { return errors.Is(err, ErrExpired) }},
		"ToldExpired": {nil, new(expired.Status()), func(err error) bool { return errors.Is(err, ErrExpired) }},
		"Down":        {outage(), nil, func(err error) bool { return pods.KindOf(err) == pods.KindUnavailable }},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			client, api := testClient()
			api.PrependWatchReactor("pods", func(k8stesting.Action) (bool, watch.Interface, error) {
				watcher := watch.NewFakeWithChanSize(1, false)
				if tc.told != nil {
					watcher.Error(tc.told)
				}
				return true, watcher, tc.opening
			})
			if changes, err := client.Changes(t.Context(), "7"); !tc.want(err) {
				t.Errorf("Changes = %+v, %v", changes, err)
			}
		})
	}
}

// TestChangesEndEarly has the watch end without a bookmark, in the middle of
// what there is to tell.
func TestChangesEndEarly(t *testing.T) {
	t.Parallel()

	client, api := testClient()
	api.PrependWatchReactor("pods", func(k8stesting.Action) (bool, watch.Interface, error) {
		watcher := watch.NewFakeWithChanSize(1, false)
		pod := build(t, testPod(nil)).Pod
		pod.ResourceVersion = "8"
		watcher.Add(pod)
		watcher.Stop()
		return true, watcher, nil
	})
	changes, err := client.Changes(t.Context(), "7")
	if err != nil || len(changes.Pods) != 1 || changes.Version != "8" {
		t.Errorf("Changes = %+v, %v, want one up to version 8", changes, err)
	}
}

func TestWaitGone(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		removed bool
		limit   time.Duration
		want    bool
	}{
		"Removed": {true, time.Minute, true},
		"Stays":   {false, time.Millisecond, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			pod := testPod(nil)
			client, api := testClient(existing(t, pod)...)
			o, err := client.Observe(t.Context(), pod.K8sName)
			if err != nil {
				t.Fatal(err)
			}
			if tc.removed { // as soon as the watch is open
				api.PrependWatchReactor("pods", func(k8stesting.Action) (bool, watch.Interface, error) {
					watcher := watch.NewFakeWithChanSize(2, false)
					other := build(t, pod).Pod
					other.UID = "another"
					watcher.Delete(other)
					mine := build(t, pod).Pod
					mine.UID = o.ObjectUID
					watcher.Delete(mine)
					return true, watcher, nil
				})
			}
			if got := client.WaitGone(t.Context(), o, tc.limit); got != tc.want {
				t.Errorf("WaitGone = %t, want %t", got, tc.want)
			}
		})
	}
}
