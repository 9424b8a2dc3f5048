//go:build cluster && knative

package lifecycle_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/cluster/components"
	"github.com/pods-service/pods/cluster/lifecycle"
)

// knativeLimit is how long adding Knative to a running cluster may take.
const knativeLimit = 3 * time.Minute

// All that the service uses Knative for. CLUSTER_BIN must have been filled by
// cluster build --knative.
func TestKnative(t *testing.T) {
	b := newBench(t)
	b.up(t, "ready")
	if b.status(t).Knative != nil {
		t.Error("Knative is there before it was asked for")
	}
	b.upKnative(t, "Knative is ready")
	b.upKnative(t, "Knative is there already")

	b.loadProgram(t, "hello")
	b.loadProgram(t, "events")
	b.kubectl(t, "run", "events", "--image=dev.local/events:1", "--port=80", "--expose")
	b.kubectl(t, "apply", "--filename", "testdata/knative.yaml")
	b.kubectl(t, "wait", "--for=condition=Ready", "--timeout=90s",
		"pod/events", "service.serving.knative.dev/hello", "domainmapping/mapped.localhost", "broker/default", "trigger/wanted", "pingsource/tick")

	b.checkServing(t)
	b.checkEventing(t)
	b.checkScaling(t)
}

func (b *bench) upKnative(t *testing.T, want string) {
	t.Helper()
	b.out.Reset()
	started := time.Now()
	if err := b.cluster.UpWithKnative(t.Context(), lifecycle.DefaultTimeout); err != nil {
		t.Fatalf("UpWithKnative: %v", err)
	}
	if elapsed := time.Since(started); elapsed > knativeLimit {
		t.Errorf("UpWithKnative took %s, want at most %s", elapsed, knativeLimit)
	}
	if !strings.Contains(b.out.String(), want) {
		t.Errorf("UpWithKnative said %q, want %q in it", b.out, want)
	}
	if status := b.status(t); !status.Working() || status.Knative == nil {
		t.Errorf("not working after UpWithKnative: %+v", status)
	}
}

// checkServing calls a service by each of its names.
func (b *bench) checkServing(t *testing.T) {
	t.Helper()
	internal := b.kubectl(t, "get", "service", "traefik-internal", "--namespace=traefik", "-o", "jsonpath=http://{.spec.clusterIP}")
	for host, address := range map[string]string{
		"hello.default.knative.localhost": components.PublicAddress(),
		"mapped.localhost":                components.PublicAddress(),
		"hello.default.svc.cluster.local": internal,
	} {
		if got := fetchHost(t, address, host); got != "hello" {
			t.Errorf("%s at %s answers %q", host, address, got)
		}
	}
	if got := fetchHost(t, components.PublicAddress(), "hello.default.svc.cluster.local"); got == "hello" {
		t.Error("a name of the cluster answers outside of it")
	}
}

// checkEventing sends two events to the broker, of which one has a reader, and
// waits for that of the clock.
func (b *bench) checkEventing(t *testing.T) {
	t.Helper()
	broker := b.kubectl(t, "get", "service", "broker-ingress", "--namespace=knative-eventing", "-o", "jsonpath=http://{.spec.clusterIP}/default/default")
	for _, eventType := range []string{"other", "wanted"} {
		send(t, broker, eventType)
	}
	reader := b.kubectl(t, "get", "service", "events", "-o", "jsonpath=http://{.spec.clusterIP}")
	seen := func() string { return fetch(t, reader) }
	waitUntil(t, "the event is delivered", func() bool { return strings.Contains(seen(), "wanted:1") }, seen)
	waitFor(t, time.Minute, "the clock ticks", func() bool { return strings.Contains(seen(), "dev.knative.sources.ping:") }, seen)
	if strings.Contains(seen(), "other") {
		t.Errorf("an event without a reader was delivered: %s", seen())
	}
}

// checkScaling lets a service go to sleep and wakes it.
func (b *bench) checkScaling(t *testing.T) {
	t.Helper()
	replicas := func() string {
		return b.kubectl(t, "get", "deployment", "--selector=serving.knative.dev/service=hello", "-o", "jsonpath={.items[*].spec.replicas}")
	}
	waitFor(t, 90*time.Second, "the service sleeps", func() bool { return replicas() == "0" }, replicas)
	if got := fetchHost(t, components.PublicAddress(), "mapped.localhost"); got != "hello" {
		t.Errorf("woken up, it answers %q", got)
	}
	if got := replicas(); got != "1" {
		t.Errorf("%s replicas after a request", got)
	}
}

// fetchHost returns the page of a host at an address, or why there is none. The
// host may first have to wake up.
func fetchHost(t *testing.T, address, host string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = host
	return do(request)
}

// send sends an event to a broker.
func send(t *testing.T, broker, eventType string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, broker, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Specversion": "1.0", "Id": eventType, "Source": "/test", "Type": eventType} {
		request.Header.Set("Ce-"+name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		t.Fatalf("the broker answers %s to an event", response.Status)
	}
}
