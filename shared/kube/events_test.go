package kube_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	metadatafake "k8s.io/client-go/metadata/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/manifests"
)

func podMetadata(name, version string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "user-pods", Name: name, UID: types.UID("u-" + name), ResourceVersion: version,
			Labels: map[string]string{manifests.LabelManagedBy: manifests.ManagedBy, manifests.LabelUID: "x"},
		},
	}
}

// cluster stands for the API server's list and watch of pods.
type cluster struct {
	client    *metadatafake.FakeMetadataClient
	selectors []string

	mu      sync.Mutex
	objects []runtime.Object
	watcher *watch.FakeWatcher
	down    bool
}

func newCluster(objects ...runtime.Object) *cluster {
	c := &cluster{client: metadatafake.NewSimpleMetadataClient(metadatafake.NewTestScheme()), objects: objects}
	c.client.PrependReactor("list", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.down {
			return true, nil, errors.New("connection refused")
		}
		c.selectors = append(c.selectors, action.(clienttesting.ListAction).GetListRestrictions().Labels.String())
		list := &metav1.List{ListMeta: metav1.ListMeta{ResourceVersion: "100"}}
		for _, object := range c.objects {
			list.Items = append(list.Items, runtime.RawExtension{Object: object})
		}
		return true, list, nil
	})
	c.client.PrependWatchReactor("pods", func(clienttesting.Action) (bool, watch.Interface, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.down {
			return true, nil, errors.New("connection refused")
		}
		c.watcher = watch.NewFakeWithChanSize(100, false)
		return true, c.watcher, nil
	})
	return c
}

// outage ends the watch and refuses everything; objects is what there is when
// it is over.
func (c *cluster) outage(lasts time.Duration, objects ...runtime.Object) {
	c.mu.Lock()
	c.down, c.objects = true, objects
	c.watcher.Stop()
	c.mu.Unlock()
	time.Sleep(lasts) // a bubble's time
	c.mu.Lock()
	c.down = false
	c.mu.Unlock()
}

// told keeps the events it is sent.
type told struct {
	mu     sync.Mutex
	events []cloudevents.Event
}

func (t *told) send(_ context.Context, event cloudevents.Event) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, event)
	return nil
}

// take returns the ids of the events since the last call.
func (t *told) take() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var ids []string
	for _, event := range t.events {
		ids = append(ids, event.ID())
	}
	t.events = nil
	return ids
}

// watching runs a source in the bubble until the test ends.
func watching(t *testing.T, c *cluster, send func(context.Context, cloudevents.Event) error) *kube.Source {
	t.Helper()
	source := kube.NewSource(c.client, kube.SourceOptions{
		Namespace: "user-pods", Server: "https://10.0.0.1:6443", Send: send, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- source.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	settle()
	return source
}

// settle lets a bubble's time pass until the informer and the queue are quiet.
func settle() {
	time.Sleep(time.Second)
	synctest.Wait()
}

func wantTold(t *testing.T, got *told, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got.take()); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestSourceTellsOfEveryChangeOnce(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		c, got := newCluster(podMetadata("db", "1")), &told{}
		source := watching(t, c, got.send)
		if !source.Synced() {
			t.Error("not synced after the first list")
		}
		first := got.events[0]
		wantTold(t, got, "u-db-1-add")
		c.watcher.Modify(podMetadata("db", "2"))
		settle()
		wantTold(t, got, "u-db-2-update")
		c.watcher.Modify(podMetadata("db", "2")) // the same version again
		settle()
		wantTold(t, got)
		c.watcher.Delete(podMetadata("db", "3"))
		settle()
		wantTold(t, got, "u-db-3-delete")
		c.watcher.Add(podMetadata("web", "4"))
		settle()
		wantTold(t, got, "u-web-4-add")

		if first.Type() != events.TypeClusterAdded || first.Source() != "https://10.0.0.1:6443" ||
			first.Subject() != "/apis/v1/namespaces/user-pods/pods/db" || kube.PodNameOf(first) != "db" {
			t.Errorf("first event is %v", first)
		}
		wantExtensions := map[string]any{"apiversion": "v1", "kind": "Pod", "name": "db", "namespace": "user-pods"}
		if diff := cmp.Diff(wantExtensions, first.Extensions()); diff != "" {
			t.Errorf("extensions (-want +got):\n%s", diff)
		}
		if want := `{"kind":"Pod","namespace":"user-pods","name":"db","apiVersion":"v1"}`; string(first.Data()) != want {
			t.Errorf("data %s, want %s", first.Data(), want)
		}
		if len(c.selectors) == 0 || c.selectors[0] != manifests.Selector {
			t.Errorf("listed with selector %q, want %q", c.selectors, manifests.Selector)
		}
	})
}

func TestSourceKeepsTheNewestOnly(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		c, got := newCluster(podMetadata("db", "1"), podMetadata("web", "1")), &told{}
		release := make(chan struct{})
		watching(t, c, func(ctx context.Context, event cloudevents.Event) error {
			if kube.PodNameOf(event) == "db" {
				<-release
			}
			return got.send(ctx, event)
		})
		for version := range 50 {
			c.watcher.Modify(podMetadata("db", fmt.Sprint(version+2)))
		}
		c.watcher.Modify(podMetadata("web", "60"))
		settle()
		wantTold(t, got, "u-web-1-add", "u-web-60-update") // not held up by db
		close(release)
		settle()
		wantTold(t, got, "u-db-1-add", "u-db-51-update")
	})
}

func TestSourceTellsAgainWhatFailed(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		c := newCluster(podMetadata("db", "1"), podMetadata("web", "1"))
		attempts := map[string]int{}
		var mu sync.Mutex
		watching(t, c, func(_ context.Context, event cloudevents.Event) error {
			mu.Lock()
			defer mu.Unlock()
			attempts[event.ID()]++
			if kube.PodNameOf(event) == "web" || attempts[event.ID()] > 2 {
				return nil
			}
			return errors.New("health is down")
		})
		settle()
		if diff := cmp.Diff(map[string]int{"u-db-1-add": 3, "u-web-1-add": 1}, attempts); diff != "" {
			t.Errorf("attempts (-want +got):\n%s", diff)
		}
	})
}

func TestSourceGivesUpAndGoesOn(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		c := newCluster(podMetadata("db", "1"))
		attempts := 0
		watching(t, c, func(context.Context, cloudevents.Event) error {
			attempts++
			return errors.New("never works")
		})
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if attempts != 6 {
			t.Errorf("tried %d times, want once and 5 times again", attempts)
		}
		c.watcher.Modify(podMetadata("db", "2"))
		settle()
		if attempts < 7 {
			t.Errorf("a newer change was not told")
		}
	})
}

func TestSourceOutlivesAnOutage(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		c, got := newCluster(podMetadata("db", "1"), podMetadata("web", "1"), podMetadata("old", "1")), &told{}
		watching(t, c, got.send)
		got.take()
		c.outage(time.Minute, podMetadata("db", "1"), podMetadata("web", "7"), podMetadata("new", "8"))
		time.Sleep(2 * time.Minute) // the reflector waits up to a minute between attempts
		synctest.Wait()

		told := map[string]bool{}
		for _, id := range got.take() {
			told[id] = true
		}
		want := map[string]bool{"u-web-7-update": true, "u-new-8-add": true, "u-old-1-delete": true} // db did not change
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

func TestPodNameOfOtherEvents(t *testing.T) {
	t.Parallel()

	tick := cloudevents.NewEvent()
	tick.SetType(events.TypeTick)
	node := cloudevents.NewEvent()
	node.SetType(events.TypeClusterUpdated)
	if err := node.SetData(cloudevents.ApplicationJSON, map[string]string{"kind": "Node", "name": "n1"}); err != nil {
		t.Fatal(err)
	}
	for _, event := range []cloudevents.Event{tick, node, cloudevents.NewEvent()} {
		if name := kube.PodNameOf(event); name != "" {
			t.Errorf("PodNameOf(%s) = %q, want none", event.Type(), name)
		}
	}
}
