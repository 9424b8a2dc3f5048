package knative

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/test/service"
	"github.com/pods-service/pods/test/suite"
)

// coldStart is how long a function may take from the start of its process until
// it serves. What Knative and Kubernetes take before and after is theirs.
const coldStart = time.Second

// TestScaleToZero lets functions go to zero and wakes them: each by a request,
// then all by one create.
func TestScaleToZero(t *testing.T) {
	switchOff(t, pingSources) // it keeps health awake
	idle := []string{"spawner", "health", "logs"}
	asleep := func() {
		started := time.Now()
		for _, name := range idle {
			function(name).waitNone(t)
		}
		t.Logf("at zero after %s", time.Since(started).Round(100*time.Millisecond))
	}
	asleep()
	for _, name := range idle {
		wake(t, name)
	}

	asleep()
	alice, podID := deployed.User(t, "alice"), suite.NewID("wake")
	started := time.Now()
	suite.Create(t, alice, podID, nil)
	suite.WaitFor(t, alice, podID, pods.StatusAvailable)
	t.Logf("with all at zero: create to AVAILABLE in %s", time.Since(started).Round(time.Millisecond))
	if err := alice.DeletePod(t.Context(), podID); err != nil {
		t.Fatal(err)
	}
	deployed.WaitGone(t, podID)
}

// TestColdStartOfAPI lets the api go to zero, which it does not do by itself,
// and wakes it.
func TestColdStartOfAPI(t *testing.T) {
	const least, window = "autoscaling.knative.dev/min-scale", "autoscaling.knative.dev/window"
	before, err := revise(t.Context(), "api", map[string]any{least: "0", window: "10s"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), suite.Patience)
		defer cancel()
		was, _, err := unstructured.NestedMap(before.Object, "spec", "template", "metadata", "annotations")
		if err == nil {
			_, err = revise(ctx, "api", map[string]any{least: was[least], window: was[window]})
		}
		if err != nil {
			t.Error(err)
		}
	})
	function("api").waitNone(t)
	wake(t, "api")
}

// wake calls a function that is at zero and reports how long it takes to
// answer.
func wake(t *testing.T, name string) {
	t.Helper()
	started := time.Now()
	ask(t, name)
	answered := time.Now()
	var process, served time.Time
	err := suite.Eventually(t.Context(), func() error {
		list, err := function(name).pods(t.Context())
		if err != nil {
			return err
		}
		if len(list) != 1 {
			return fmt.Errorf("%d pods run", len(list))
		}
		process, served, err = startTimes(t.Context(), list[0], name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	took := served.Sub(process)
	t.Logf("%s from zero: first byte %s after the request, %s after the start of its process, which served after %s",
		name, answered.Sub(started).Round(time.Millisecond), answered.Sub(process).Round(10*time.Millisecond), took.Round(10*time.Millisecond))
	if took > coldStart {
		t.Errorf("%s serves %s after the start of its process, want %s at most", name, took, coldStart)
	}
}

// startTimes returns when a function's process was started and when it served,
// as its log has it.
func startTimes(ctx context.Context, pod corev1.Pod, name string) (process, served time.Time, err error) {
	ran, err := age(containerID(pod))
	if err != nil {
		return process, served, err
	}
	process = time.Now().Add(-ran)
	log, err := deployed.Cluster.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Container: name}).DoRaw(ctx)
	if err != nil {
		return process, served, err
	}
	for line := range bytes.Lines(log) {
		var entry struct {
			Time    time.Time `json:"time"`
			Message string    `json:"msg"`
		}
		if json.Unmarshal(line, &entry) == nil && entry.Message == "serving" {
			return process, entry.Time, nil
		}
	}
	return process, served, errors.New("its log does not say that it serves")
}

// ask calls a function by its name within the cluster and returns when the
// answer has begun.
func ask(t *testing.T, name string) {
	t.Helper()
	ingress, err := deployed.Cluster.CoreV1().Services("traefik").Get(t.Context(), "traefik-internal", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort(ingress.Spec.ClusterIP, "80"))
	}}
	defer transport.CloseIdleConnections()
	address := "http://" + name + "." + service.FunctionsNamespace + ".svc.cluster.local/healthz"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: transport, Timeout: time.Minute}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %s: %s, %v", name, resp.Status, body, err)
	}
}
