package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/manifests"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/templates"
)

const (
	// fleetAge is for how long the pods of a fleet have been running, by their
	// rows: what happens often in the first minutes of a pod is over.
	fleetAge = 2 * time.Hour
	// atOnce is how many pods are made at a time.
	atOnce = 16
	// growTimeout bounds the making and the removal of a fleet.
	growTimeout = 10 * time.Minute
)

var (
	fleetCaller = pods.Caller{TenantID: "dev", SiteID: "bench", Username: "alice"}
	fleetTenant = pods.Tenant{ID: "dev", SiteID: "bench", PodsDomain: "pods.localhost"}
)

// fleet is a number of pods that run: their rows as the service writes them,
// and their Kubernetes pods as the service builds them.
type fleet struct {
	store   *postgres.Store // by a clock that is fleetAge behind
	cluster *kube.Client    // nil for rows alone
	nodes   *nodes
	// template is the reference, with its timestamp, of what the pods are made
	// from besides their image; empty for none.
	template string
	size     int
}

// grow brings the fleet to size pods, running ones where there is a cluster.
func (f *fleet) grow(ctx context.Context, size int) error {
	ctx, cancel := context.WithTimeout(ctx, growTimeout)
	defer cancel()
	var mu sync.Mutex
	var moves []pods.Move
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i := f.size; i < size; i++ {
		group.Go(func() error {
			made, err := f.create(within, i)
			mu.Lock()
			defer mu.Unlock()
			moves = append(moves, pods.Move{Ref: made.Ref(), By: pods.ActorSpawner, To: pods.StatusCreating})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	f.size = size
	if f.cluster != nil {
		if err := f.move(ctx, moves); err != nil {
			return err
		}
		if err := f.observe(ctx); err != nil {
			return err
		}
	}
	return f.settle(ctx)
}

// create makes one pod as the API and the spawner do, on a simulated node.
func (f *fleet) create(ctx context.Context, i int) (pods.Pod, error) {
	patch := pods.Patch{
		ID: pods.Some("bench" + strconv.Itoa(i)), Image: pods.Some(image), Description: pods.Some("a pod of a benchmark"),
		EnvironmentVariables: pods.Some(map[string]string{"GREETING": "hello"}),
		// The clock of health is set ahead once; no pod's time to stop may come by it.
		TimeToStopDefault: pods.Some(int64(30 * 24 * time.Hour / time.Second)),
	}
	if f.template != "" {
		patch.Template = pods.Some(f.template)
	}
	pod, err := pods.New(fleetCaller, fleetTenant, patch, pods.NewRules(), uuid.NewString(), time.Now().Add(-fleetAge))
	if err != nil {
		return pods.Pod{}, err
	}
	creds := pods.NewCredentials(pod.ID)
	if pod, err = f.store.CreatePod(ctx, pod, creds, fleetCaller.Username); err != nil {
		return pods.Pod{}, err
	}
	if pod, _, err = f.store.ClaimPod(ctx, pod.Ref()); err != nil {
		return pods.Pod{}, err
	}
	if f.cluster == nil { // rows are all that is wanted
		return pod, nil
	}
	object, err := manifests.Pod(pod, creds, templates.Profile(""), manifests.Options{Namespace: f.cluster.Namespace(), Overcommit: 10})
	if err != nil {
		return pods.Pod{}, err
	}
	object.Spec.NodeName = f.nodes.name(i)
	object.Spec.Tolerations = append(object.Spec.Tolerations, corev1.Toleration{Key: benchLabel, Operator: corev1.TolerationOpExists})
	return pod, f.cluster.EnsurePod(ctx, object)
}

// observe waits until every pod runs and moves the rows to AVAILABLE.
func (f *fleet) observe(ctx context.Context) error {
	running := map[string]kube.Observed{}
	// Two cores simulate a node's answers for some fifty pods a second at worst.
	longest := patience + time.Duration(f.size)*20*time.Millisecond
	err := within(ctx, longest, time.Second, func() (bool, error) {
		listing, err := f.cluster.List(ctx)
		for _, seen := range listing.Pods {
			if seen.State == kube.StateRunning {
				running[seen.Name] = seen
			}
		}
		return len(running) >= f.size, err
	})
	if err != nil {
		return fmt.Errorf("%d of %d pods run: %w\n%s", len(running), f.size, err, f.nodes.tail())
	}
	rows, err := f.store.Overview(ctx)
	if err != nil {
		return err
	}
	var moves []pods.Move
	for _, row := range rows {
		seen := running[row.K8sName]
		if row.Status == pods.StatusAvailable {
			continue
		}
		moves = append(moves, pods.Move{
			Ref: row.Ref(), By: pods.ActorHealth, To: pods.StatusAvailable, Address: seen.PodIP, StartedAt: new(seen.StartedAt),
			TimeToStop: row.TimeToStop(time.Now()),
			Container:  &pods.ContainerStatus{Phase: seen.Phase, Ready: seen.Ready, StartTime: seen.StartedAt.Format(time.RFC3339)},
		})
	}
	return f.move(ctx, moves)
}

// move makes moves in batches.
func (f *fleet) move(ctx context.Context, moves []pods.Move) error {
	const batch = 500
	for start := 0; start < len(moves); start += batch {
		part := moves[start:min(start+batch, len(moves))]
		if made, err := f.store.MoveAll(ctx, part); err != nil || made != len(part) {
			return errors.Join(fmt.Errorf("%d of %d moves were made", made, len(part)), err)
		}
	}
	return nil
}

// settle takes what the making has written off the outbox.
func (f *fleet) settle(ctx context.Context) error {
	for {
		unsent, err := f.store.UnsentEvents(ctx, 0, 1000)
		if err != nil || len(unsent) == 0 {
			return err
		}
		ids := make([]string, len(unsent))
		for i, event := range unsent {
			ids[i] = event.ID()
		}
		if err := f.store.MarkSent(ctx, ids); err != nil {
			return err
		}
	}
}

// spreadLogs has the output of the pods due at times spread over the longest
// wait, as that of pods that have been silent for long.
func (f *fleet) spreadLogs(ctx context.Context, store *postgres.Store) error {
	rows, err := store.Overview(ctx)
	for i, row := range rows {
		wait := pods.MaxLogWait * time.Duration(i+1) / time.Duration(len(rows))
		err = errors.Join(err, store.LogsCollected(ctx, row.Ref(), wait))
	}
	return err
}

// restart makes the i-th container of the fleet restart for the nth time, as
// far as the cluster says.
func (f *fleet) restart(ctx context.Context, i, n int) error {
	name := pods.Name(fleetTenant.SiteID, fleetTenant.ID, "bench"+strconv.Itoa(i%f.size))
	patch := fmt.Sprintf(`[{"op": "replace", "path": "/status/containerStatuses/0/restartCount", "value": %d}]`, n)
	_, err := f.cluster.API().CoreV1().Pods(f.cluster.Namespace()).
		Patch(ctx, name, types.JSONPatchType, []byte(patch), metav1.PatchOptions{}, "status")
	return err
}

// remove removes the pods from the cluster.
func (f *fleet) remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, growTimeout)
	defer cancel()
	api := f.cluster.API().CoreV1().Pods(f.cluster.Namespace())
	for {
		// A large collection takes longer than the API server lets one request.
		_ = api.DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}, metav1.ListOptions{})
		left, err := api.List(ctx, metav1.ListOptions{Limit: 1})
		if err == nil && len(left.Items) == 0 {
			return nil
		}
		if err := pause(ctx, time.Second); err != nil {
			return fmt.Errorf("remove the pods of the benchmark: %w", err)
		}
	}
}
