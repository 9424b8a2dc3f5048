package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/test/service"
)

const (
	// newPods is how many pods B7 makes, one after another.
	newPods = 20
	// visitEvery is how often the visitor of B7 asks for the page. It counts as
	// a part of what is measured.
	visitEvery = 5 * time.Millisecond
)

// newRoutes measures B7: for how long a pod is AVAILABLE before a visitor, who
// has been asking all the time, gets an answer from its container. A pod is
// AVAILABLE from the time that its row says so, which is when the transaction
// began that wrote it: the commit counts too, and so does how the gateway
// hears of it. The visitor keeps their connection, as a browser does that shows
// the status page.
func newRoutes(ctx context.Context, o options) (_ []figure, err error) {
	cluster, err := connectCluster(os.Getenv("KUBECONFIG"))
	if err != nil {
		return nil, err
	}
	dir, servers, err := startServers(ctx, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stopServers(servers, dir)) }()
	podsd, stop, err := startService(ctx, o.podsd, cluster, "DATABASE_URL="+servers.DatabaseURL, "REDIS_URL="+servers.RedisURL)
	if err != nil {
		return nil, err
	}
	defer stop()
	pool, err := postgres.Open(ctx, servers.DatabaseURL, 1)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	b := &newRouteBench{cluster: cluster, service: podsd, store: postgres.New(pool, postgres.Options{Now: time.Now})}
	if b.alice, err = podsd.As(ctx, fleetCaller.Username); err != nil {
		return nil, err
	}
	if b.web, err = podsd.Web(ctx); err != nil {
		return nil, err
	}
	var times series
	for i := range newPods + 1 { // the first warms everything up and is not counted
		took, err := b.measure(ctx, "bench"+strconv.Itoa(i))
		if err != nil {
			return nil, fmt.Errorf("pod %d: %w\n%s", i, err, podsd.Log())
		}
		if i > 0 {
			times = append(times, took)
		}
	}
	return []figure{
		plain("B7", "AVAILABLE to an answer through the gateway, p50", "ms", times.millis(0.5)),
		plain("B7", fmt.Sprintf("AVAILABLE to an answer through the gateway, slowest of %d", newPods), "ms", times.millis(1)).most(100),
	}, nil
}

// newRouteBench is what B7 needs for each pod.
type newRouteBench struct {
	cluster kubernetes.Interface
	service *service.Service
	store   *postgres.Store // knows when a pod became AVAILABLE
	alice   *client.Client
	web     *http.Client
}

// measure makes a pod, visits it until it answers, and removes it. It returns
// how long the pod had been AVAILABLE when its answer was there.
func (b *newRouteBench) measure(ctx context.Context, podID string) (time.Duration, error) {
	pod, err := b.alice.CreatePod(ctx, map[string]any{"pod_id": podID, "template": "hello"})
	if err != nil {
		return 0, err
	}
	page := "https://" + pod.Networking[pods.DefaultNetworkKey].URL + "/"
	if err := every(ctx, visitEvery, func() (bool, error) { return answers(ctx, b.web, page) }); err != nil {
		return 0, err
	}
	answered := time.Now()
	row, _, err := b.store.Pod(ctx, fleetTenant.ID, podID)
	if err != nil {
		return 0, err
	}
	if row.Status != pods.StatusAvailable {
		return 0, fmt.Errorf("it has answered and is %s", row.Status)
	}
	if err := b.alice.DeletePod(ctx, podID); err != nil {
		return 0, err
	}
	return answered.Sub(row.StatusSince), waitGone(ctx, b.cluster, b.service.Namespace, row.K8sName)
}
