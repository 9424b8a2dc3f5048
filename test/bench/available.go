package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/test/service"
)

// askEvery is how often the service is asked for a status or a page. Asking more
// often would take the processor from the very start that is measured: plain
// Kubernetes is watched, which costs it nothing.
const askEvery = 20 * time.Millisecond

// availability measures B1 and B2. Both sides take turns, so that they meet the
// same machine in the same mood.
func availability(ctx context.Context, o options) ([]figure, error) {
	baseline, err := newBaseline(ctx, os.Getenv("KUBECONFIG"))
	if err != nil {
		return nil, err
	}
	defer baseline.close()
	podsd, stop, err := startService(ctx, o.podsd, baseline.api)
	if err != nil {
		return nil, err
	}
	defer stop()

	times, err := compare(ctx, podsd, baseline, o.pairs)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, podsd.Log())
	}
	fmt.Printf("Waiting %s for the service to be idle\n", o.idle)
	if err := pause(ctx, o.idle); err != nil {
		return nil, err
	}
	idle, err := residentMiB(podsd.PID())
	if err != nil {
		return nil, err
	}
	return append(times.figures(), plain("B1", "podsd resident when idle", "MiB", idle).most(100)), nil
}

// startService starts the whole service, with a state and a namespace of its
// own. stop ends it and removes both.
func startService(ctx context.Context, program string, cluster kubernetes.Interface, env ...string) (s *service.Service, stop func(), err error) {
	if s, err = service.New(program, os.TempDir(), env...); err != nil {
		return nil, nil, err
	}
	if err := s.Start(ctx); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%w\n%s", err, s.Log()), os.RemoveAll(s.State))
	}
	return s, func() {
		removeNamespace(cluster, s.Namespace)
		_ = s.Stop()
		_ = os.RemoveAll(s.State)
	}, nil
}

// pairTimes are what the pairs of runs took.
type pairTimes struct{ plain, available, served series }

func (t *pairTimes) figures() []figure {
	of := func(name, what string, q float64, ours series) figure {
		return plain(name, what, "ms", ours.millis(q)).against(t.plain.millis(q))
	}
	return []figure{
		of("B1", "POST to AVAILABLE, p50", 0.5, t.available).maxRatio(1.15),
		of("B1", "POST to AVAILABLE, p95", 0.95, t.available).maxMore(250),
		of("B2", "POST to first 200, p50", 0.5, t.served).maxRatio(1.3),
		of("B2", "POST to first 200, p95", 0.95, t.served).maxMore(1000),
	}
}

// compare measures pairs of runs, the two sides taking turns at being first.
func compare(ctx context.Context, s *service.Service, b *baseline, pairs int) (*pairTimes, error) {
	alice, err := s.As(ctx, "alice")
	if err != nil {
		return nil, err
	}
	web, err := s.Web(ctx)
	if err != nil {
		return nil, err
	}
	times := &pairTimes{}
	for i := range pairs + 1 { // the first pair warms both sides up and is not counted
		name := "bench" + strconv.Itoa(i)
		var plain, available, served time.Duration
		sides := []func() error{
			func() (err error) {
				if plain, err = b.run(ctx, name); err != nil {
					return fmt.Errorf("plain Kubernetes, run %d: %w", i, err)
				}
				return b.remove(ctx, b.namespace, name)
			},
			func() (err error) {
				if available, served, err = create(ctx, alice, web, name); err != nil {
					return fmt.Errorf("the service, run %d: %w", i, err)
				}
				if err := alice.DeletePod(ctx, name); err != nil {
					return err
				}
				return waitGone(ctx, b.api, s.Namespace, pods.Name("dev", "dev", name))
			},
		}
		for turn := range sides {
			if err := randomMoment(ctx); err != nil {
				return nil, err
			}
			if err := sides[(i+turn)%2](); err != nil {
				return nil, err
			}
		}
		if i == 0 {
			continue
		}
		times.plain = append(times.plain, plain)
		times.available = append(times.available, available)
		times.served = append(times.served, served)
		if i%10 == 0 {
			fmt.Printf("%3d of %d pairs: Kubernetes %.0f ms, AVAILABLE %.0f ms, first 200 %.0f ms (medians so far)\n",
				i, pairs, times.plain.millis(0.5), times.available.millis(0.5), times.served.millis(0.5))
		}
	}
	return times, nil
}

// relistPeriod is how often the kubelet looks at its containers, and so how
// coarsely it tells of them.
const relistPeriod = time.Second

// randomMoment waits for a random part of the kubelet's period. A side begins
// when the pod before it is gone, which is always at the same point of the
// period: without the wait every run of a side would meet the kubelet at that
// side's own point, and a difference of milliseconds between the two could cost
// one of them nothing or a whole period each time. Users come at any moment.
func randomMoment(ctx context.Context) error {
	timer := time.NewTimer(rand.N(relistPeriod)) //nolint:gosec // chance, not secrecy
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// create makes a pod and returns how long it took to be AVAILABLE, and to
// answer 200 under its address.
func create(ctx context.Context, c *client.Client, web *http.Client, podID string) (available, served time.Duration, err error) {
	start := time.Now()
	pod, err := c.CreatePod(ctx, map[string]any{"pod_id": podID, "template": "hello"})
	if err != nil {
		return 0, 0, err
	}
	err = every(ctx, askEvery, func() (bool, error) {
		pod, err = c.Pod(ctx, podID)
		if err == nil && pod.Status == pods.StatusError {
			err = fmt.Errorf("it ended in ERROR: %s", pod.StatusContainer.Message)
		}
		return pod.Status == pods.StatusAvailable, err
	})
	if err != nil {
		return 0, 0, err
	}
	available = time.Since(start)
	page := "https://" + pod.Networking[pods.DefaultNetworkKey].URL + "/"
	err = every(ctx, askEvery, func() (bool, error) { return answers(ctx, web, page) })
	return available, time.Since(start), err
}

// answers reports whether the container behind a page answers: until then the
// gateway does, with other statuses.
func answers(ctx context.Context, web *http.Client, page string) (bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return false, err
	}
	resp, err := web.Do(req)
	if err != nil {
		return false, err
	}
	return resp.StatusCode == http.StatusOK, resp.Body.Close()
}
