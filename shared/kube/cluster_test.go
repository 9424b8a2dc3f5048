package kube_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"

	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/manifests"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/storage"
)

// The tests of this file talk to the cluster of TEST_KUBECONFIG, which must run
// on this machine and hold the image dev.local/hello:1. Each has a namespace of
// its own and removes it.

const clusterTimeout = time.Minute

// clusterClient returns a client for a new namespace in which pods can be made.
func clusterClient(t *testing.T) (context.Context, *kube.Client) {
	t.Helper()
	path := os.Getenv("TEST_KUBECONFIG")
	if path == "" {
		t.Fatal("TEST_KUBECONFIG is not set: these tests need a cluster on this machine")
	}
	config, err := kube.Config(path)
	if err != nil {
		t.Fatal(err)
	}
	refuseRemote(t, config)
	client, err := kube.Connect(config, "test-"+uuid.NewString())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), clusterTimeout)
	t.Cleanup(cancel)
	if err := client.EnsureNamespace(ctx, manifests.Namespace(client.Namespace(), storage.Source{})); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		background := metav1.DeletePropagationBackground
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clusterTimeout)
		defer cancel()
		err := client.API().CoreV1().Namespaces().Delete(ctx, client.Namespace(), metav1.DeleteOptions{PropagationPolicy: &background})
		if err != nil {
			t.Errorf("remove namespace: %v", err)
		}
	})
	// Kubernetes refuses pods until it has made the namespace's account.
	accounts, err := client.API().CoreV1().ServiceAccounts(client.Namespace()).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(ctx, t, accounts, func(object *corev1.ServiceAccount) bool { return object.Name == "default" })
	return ctx, client
}

// refuseRemote keeps the tests from touching a cluster that is not a local one.
func refuseRemote(t *testing.T, config *rest.Config) {
	t.Helper()
	server, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	host := net.ParseIP(server.Hostname())
	for _, address := range addresses {
		if local, ok := address.(*net.IPNet); ok && local.IP.Equal(host) {
			return
		}
	}
	if server.Hostname() != "localhost" {
		t.Fatalf("%s is not an address of this machine", config.Host)
	}
}

// waitFor reads watcher until an object of type T satisfies done.
func waitFor[T any](ctx context.Context, t *testing.T, watcher watch.Interface, done func(T) bool) {
	t.Helper()
	defer watcher.Stop()
	for {
		select {
		case <-ctx.Done():
			t.Fatalf("waited too long: %v", ctx.Err())
		case event, open := <-watcher.ResultChan():
			if !open {
				t.Fatal("the watch ended")
			}
			if object, ok := event.Object.(T); ok && done(object) {
				return
			}
		}
	}
}

// waitState waits until the pod of that name is observed in a state that
// satisfies done, and returns it.
func waitState(ctx context.Context, t *testing.T, client *kube.Client, name string, done func(*kube.Observed) bool) *kube.Observed {
	t.Helper()
	watcher, err := client.API().CoreV1().Pods(client.Namespace()).Watch(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, name).String(),
	})
	if err != nil {
		t.Fatal(err)
	}
	var found *kube.Observed
	waitFor(ctx, t, watcher, func(*corev1.Pod) bool {
		found, err = client.Observe(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		return found != nil && done(found)
	})
	return found
}

func clusterPod(change func(*pods.Pod)) pods.Pod {
	pod := pods.Pod{
		TenantID: "dev", SiteID: "local", ID: "hello", UID: uuid.NewString(), Instance: 1,
		K8sName: pods.Name("local", "dev", "hello"),
		Spec: pods.Spec{
			Image:      "dev.local/hello:1",
			Networking: map[string]pods.Networking{pods.DefaultNetworkKey: pods.NewNetworking()},
			Resources:  pods.NewRules().Defaults,
		},
	}
	if change != nil {
		change(&pod)
	}
	return pod
}

func clusterObjects(t *testing.T, client *kube.Client, pod pods.Pod) manifests.Objects {
	t.Helper()
	objects, err := manifests.Build(pod, pods.NewCredentials(pod.ID), "",
		manifests.Options{Namespace: client.Namespace(), Overcommit: 10})
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func TestClusterLife(t *testing.T) {
	t.Parallel()

	ctx, client := clusterClient(t)
	pod := clusterPod(nil)
	objects := clusterObjects(t, client, pod)
	if err := client.Healthy(ctx); err != nil {
		t.Fatalf("Healthy: %v", err)
	}

	started := time.Now()
	for range 2 { // an event may be delivered twice
		if err := client.Ensure(ctx, objects); err != nil {
			t.Fatalf("Ensure: %v", err)
		}
		t.Logf("ensured after %v", time.Since(started))
	}
	running := waitState(ctx, t, client, pod.K8sName, func(o *kube.Observed) bool { return o.State == kube.StateRunning })
	t.Logf("running after %v", time.Since(started))
	if !running.IsRun(pod.Ref()) || net.ParseIP(running.PodIP) == nil || running.StartedAt.IsZero() {
		t.Errorf("running pod observed as %+v", running)
	}
	if all, err := client.List(ctx); err != nil || len(all.Pods) != 1 || all.Pods[0].ObjectUID != running.ObjectUID {
		t.Errorf("List = %+v, %v, want the running pod", all, err)
	}

	later := clusterPod(func(p *pods.Pod) { p.UID, p.Instance = pod.UID, 2 })
	_, occupied := errors.AsType[*kube.OccupiedError](client.Ensure(ctx, clusterObjects(t, client, later)))
	if !occupied {
		t.Error("the next run was made beside the first")
	}
	if left, err := client.RemoveLife(ctx, pod.K8sName, uuid.NewString(), time.Now()); left || err != nil {
		t.Errorf("RemoveLife of another life: left %t, %v", left, err)
	}
	if left, err := client.RemoveRuns(ctx, pod.K8sName, pod.Ref(), time.Now()); !left || err != nil {
		t.Errorf("RemoveRuns: left %t, %v, want it on its way", left, err)
	}
	if !client.WaitGone(ctx, running, clusterTimeout) {
		t.Fatal("the pod did not go")
	}
	if o, err := client.Observe(ctx, pod.K8sName); o != nil || err != nil {
		t.Errorf("Observe after removal: %+v, %v", o, err)
	}
	if left, err := client.RemoveRuns(ctx, pod.K8sName, pod.Ref(), time.Now()); left || err != nil {
		t.Errorf("second RemoveRuns: left %t, %v", left, err)
	}
	if err := client.Ensure(ctx, clusterObjects(t, client, later)); err != nil {
		t.Errorf("Ensure of the next run: %v", err)
	}
}

// TestClusterChanges follows pods from one version to the next, as ticks do.
func TestClusterChanges(t *testing.T) {
	t.Parallel()

	ctx, client := clusterClient(t)
	before, err := client.List(ctx)
	if err != nil || len(before.Pods) != 0 {
		t.Fatalf("List = %+v, %v, want nothing", before, err)
	}
	pod := clusterPod(nil)
	if err := client.Ensure(ctx, clusterObjects(t, client, pod)); err != nil {
		t.Fatal(err)
	}
	running := waitState(ctx, t, client, pod.K8sName, func(o *kube.Observed) bool { return o.State == kube.StateRunning })
	came, err := client.Changes(ctx, before.Version)
	if err != nil || len(came.Gone) != 0 || len(came.Pods) != 1 || came.Pods[0].ObjectUID != running.ObjectUID || came.Pods[0].State != kube.StateRunning {
		t.Fatalf("Changes = %+v, %v, want the pod as it is now", came, err)
	}
	quiet, err := client.Changes(ctx, came.Version)
	if err != nil || len(quiet.Gone)+len(quiet.Pods) != 0 {
		t.Errorf("Changes = %+v, %v, want none since", quiet, err)
	}
	if _, err := client.RemoveRuns(ctx, pod.K8sName, pod.Ref(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if !client.WaitGone(ctx, running, clusterTimeout) {
		t.Fatal("the pod did not go")
	}
	left, err := client.Changes(ctx, quiet.Version)
	if err != nil || len(left.Pods) != 0 || len(left.Gone) != 1 || left.Gone[0] != pod.K8sName {
		t.Errorf("Changes = %+v, %v, want it gone", left, err)
	}
}

func TestClusterObservesEnd(t *testing.T) {
	t.Parallel()

	ctx, client := clusterClient(t)
	tests := map[string]struct {
		change func(*pods.Pod)
		done   func(*kube.Observed) bool
	}{
		"Failed": {func(p *pods.Pod) { p.EnvironmentVariables = map[string]string{"HELLO_EXIT_CODE": "7"} },
			func(o *kube.Observed) bool { return o.State == kube.StateFailed && o.ExitCode == 7 }},
		"Succeeded": {func(p *pods.Pod) { p.EnvironmentVariables = map[string]string{"HELLO_EXIT_AFTER": "10ms"} },
			func(o *kube.Observed) bool { return o.State == kube.StateSucceeded }},
		"NoCommand": {func(p *pods.Pod) { p.Command = []string{"/no/such/program"} },
			func(o *kube.Observed) bool { return o.State == kube.StateFailed && o.Reason == "StartError" }},
		"NoNode": {func(p *pods.Pod) { p.Resources.CPURequest, p.Resources.CPULimit = new(int64(9e6)), new(int64(9e6)) },
			func(o *kube.Observed) bool { return o.State == kube.StateWaiting && o.Reason == "Unschedulable" }},
	}
	for name, tc := range tests {
		pod := clusterPod(tc.change)
		pod.ID = "x" + uuid.NewString()[:8]
		pod.K8sName = pods.Name("local", "dev", pod.ID)
		if err := client.Ensure(ctx, clusterObjects(t, client, pod)); err != nil {
			t.Fatalf("%s: Ensure: %v", name, err)
		}
		o := waitState(ctx, t, client, pod.K8sName, tc.done)
		t.Logf("%s: %s, exit code %d, %s: %s", name, o.State, o.ExitCode, o.Reason, o.Message)
	}
}

func TestClusterRefuses(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		spoil func(*corev1.Pod)
		want  pods.Kind
	}{
		"Invalid":    {func(p *corev1.Pod) { p.Spec.Hostname = "_" }, pods.KindInvalid},
		"Privileged": {func(p *corev1.Pod) { p.Spec.HostNetwork = true }, pods.KindForbidden},
	}
	ctx, client := clusterClient(t)
	for name, tc := range tests {
		objects := clusterObjects(t, client, clusterPod(nil))
		tc.spoil(objects.Pod)
		err := client.EnsurePod(ctx, objects.Pod)
		if got := pods.KindOf(err); got != tc.want {
			t.Errorf("%s: kind %q (%v), want %q", name, got, err, tc.want)
		}
	}
}

func TestClusterQuota(t *testing.T) {
	t.Parallel()

	ctx, client := clusterClient(t)
	quotas := client.API().CoreV1().ResourceQuotas(client.Namespace())
	watcher, err := quotas.Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = quotas.Create(ctx, &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "none"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(ctx, t, watcher, func(quota *corev1.ResourceQuota) bool { return len(quota.Status.Hard) > 0 })
	err = client.EnsurePod(ctx, clusterObjects(t, client, clusterPod(nil)).Pod)
	if got := pods.KindOf(err); got != pods.KindExhausted {
		t.Errorf("kind %q (%v), want exhausted", got, err)
	}
}

func TestClusterUnreachable(t *testing.T) {
	t.Parallel()

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil { // nobody listens there now
		t.Fatal(err)
	}
	client, err := kube.Connect(&rest.Config{Host: "http://" + address}, "pods")
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"Healthy":   client.Healthy(t.Context()),
		"EnsurePod": client.EnsurePod(t.Context(), clusterObjects(t, client, clusterPod(nil)).Pod),
	} {
		if got := pods.KindOf(err); got != pods.KindUnavailable {
			t.Errorf("%s: kind %q (%v), want unavailable", name, got, err)
		}
	}
}
