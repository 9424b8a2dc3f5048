package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/test/service"
)

// askEvery is how often the service is asked for a status or a page. Asking more
// often would take the processor from the very start that is measured: plain
// Kubernetes is watched, which costs it nothing.
const askEvery = 20 * time.Millisecond

// compare measures pairs of runs, the two sides taking turns at being first.
func compare(ctx context.Context, s *service.Service, b *baseline, pairs int) (*report, error) {
	alice, err := s.As(ctx, "alice")
	if err != nil {
		return nil, err
	}
	web, err := s.Web(ctx)
	if err != nil {
		return nil, err
	}
	r := &report{Pairs: pairs, Started: time.Now().UTC()}
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
				return b.waitGone(ctx, s.Namespace, pods.Name("dev", "dev", name))
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
		r.add(plain, available, served)
		if i%10 == 0 {
			fmt.Printf("%3d of %d pairs: Kubernetes %s, AVAILABLE %s, first 200 %s (medians so far)\n",
				i, pairs, r.plain.quantile(0.5), r.available.quantile(0.5), r.served.quantile(0.5))
		}
	}
	return r.finish(), nil
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
	err = every(ctx, askEvery, func() (bool, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+pod.Networking["default"].URL+"/", nil)
		if err != nil {
			return false, err
		}
		resp, err := web.Do(req)
		if err != nil {
			return false, err
		}
		return resp.StatusCode == http.StatusOK, resp.Body.Close()
	})
	return available, time.Since(start), err
}

// residentMiB returns the memory that a process has in use.
func residentMiB(pid int) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if value, found := strings.CutPrefix(line, "VmRSS:"); found {
			kib, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("process %d has no VmRSS", pid)
}
