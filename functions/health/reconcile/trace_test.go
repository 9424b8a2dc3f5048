package reconcile

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/pods"
)

const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func requested(before time.Duration) func(*kube.Observed) {
	return func(seen *kube.Observed) { seen.Traceparent, seen.RequestedAt = traceparent, ago(before) }
}

// TestMovesGoOnInTheTraceOfTheRequest moves a pod by a change and by a tick.
func TestMovesGoOnInTheTraceOfTheRequest(t *testing.T) {
	t.Parallel()

	pod := podIn(pods.StatusCreating, time.Second)
	for name, act := range map[string]func(*testing.T, *world) int{
		"Change": func(t *testing.T, w *world) int { return w.change(t, events.TypeClusterUpdated, pod.K8sName) },
		"Tick":   func(t *testing.T, w *world) int { return w.tick(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			w := newWorld(pod)
			w.see(seenIn(kube.StateRunning, requested(3*time.Second)))
			act(t, w)
			if got := w.store.traces[pod.UID]; got != traceparent {
				t.Errorf("the move is in the trace %q, want %s", got, traceparent)
			}
		})
	}
}

// TestStartIsMeasured sees the times of a pod that was asked for three seconds
// ago and whose container has run for two.
func TestStartIsMeasured(t *testing.T) {
	t.Parallel()

	pod := podIn(pods.StatusCreating, time.Second)
	w := newWorld(pod)
	registry := prometheus.NewRegistry()
	w.handler.metrics = newMetrics(registry)
	w.see(seenIn(kube.StateRunning, requested(3*time.Second)))
	w.change(t, events.TypeClusterUpdated, pod.K8sName)

	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			got[family.GetName()] += metric.GetHistogram().GetSampleSum() + metric.GetCounter().GetValue()
		}
	}
	for name, want := range map[string]float64{
		"pods_available_seconds": 3, "pods_status_delay_seconds": 2, "pods_start_seconds": 1,
		"pods_health_rows_read_total": 1, "pods_health_rows_written_total": 1,
	} {
		if got[name] != want {
			t.Errorf("%s = %v, want %v", name, got[name], want)
		}
	}
}
