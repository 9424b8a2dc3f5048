package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	assets "github.com/pods-service/pods"
	"github.com/pods-service/pods/functions/api/server"
	"github.com/pods-service/pods/functions/health/reconcile"
	"github.com/pods-service/pods/functions/spawner/spawn"
	"github.com/pods-service/pods/shared/document"
	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/images"
	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/manifests"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/rest"
	"github.com/pods-service/pods/shared/telemetry"
	"github.com/pods-service/pods/shared/templates"
)

// deployment is the functions on a real database and a cluster that does
// nothing by itself.
type deployment struct {
	store   *postgres.Store
	api     http.Handler
	broker  *events.Broker
	relay   *events.Relay
	cluster *fake.Clientset
}

// alice is everybody.
type alice struct{}

func (alice) Authenticate(context.Context, *http.Request) (pods.Caller, error) {
	return pods.Caller{TenantID: "dev", SiteID: "site", Username: "alice"}, nil
}

func deploy(t *testing.T) *deployment {
	t.Helper()
	d := &deployment{cluster: fake.NewClientset()}
	d.store = podstest.Store(t, podstest.WithNow(time.Now), podstest.WithCommitted(func(written []cloudevents.Event) {
		d.relay.Enqueue(written)
	}))
	rules := pods.NewRules()
	catalog, err := document.LoadTemplates(assets.Templates(), rules)
	if err != nil {
		t.Fatal(err)
	}
	triggers, err := events.ParseTriggers(assets.Triggers)
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.DiscardHandler)
	deriver := templates.NewDeriver(catalog, catalog, func(string) string { return "pods.localhost" })
	cluster := kube.New(d.cluster, "pods")
	d.broker, err = events.NewBroker(triggers, map[string]http.Handler{
		"spawner": spawn.New(d.store, cluster, deriver, spawn.Options{Logger: logger}),
		"health":  reconcile.New(d.store, cluster, deriver, reconcile.Options{Logger: logger}),
		"api":     http.NotFoundHandler(), // there are no volumes
		"logs": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			events.Handle(w, r, "logs", logger, func(context.Context, cloudevents.Event) error { return nil })
		}),
	}, d.store, events.BrokerOptions{Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	d.relay = events.NewRelay(d.store, d.broker, events.RelayOptions{Logger: logger})
	t.Cleanup(func() { _ = d.relay.Close(context.Background()) })
	allowlist, err := images.NewAllowlist(d.store, nil, catalog.Images()...)
	if err != nil {
		t.Fatal(err)
	}
	api := server.New(server.Config{
		Store: d.store, Deriver: deriver, Rules: rules, Allowlist: allowlist,
		Now: time.Now, Logger: logger, Link: func(entry pods.Networking) string { return entry.URL },
		Tenant: func(id string) pods.Tenant { return pods.Tenant{ID: id, SiteID: "site", PodsDomain: "pods.localhost"} },
	})
	d.api = api.Handler(rest.Config{Authenticator: alice{}, Logger: logger, Timeout: time.Minute}, nil, nil)
	return d
}

// settle waits until every event has been handled.
func (d *deployment) settle(t *testing.T) {
	t.Helper()
	if err := d.relay.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// create makes a pod through the API and has its container started.
func (d *deployment) create(t *testing.T, traceparent string) {
	t.Helper()
	request := httptest.NewRequest(http.MethodPost, "/v3/pods", strings.NewReader(`{"pod_id": "tracedpod", "template": "hello"}`))
	request.Header.Set("Content-Type", "application/json")
	if traceparent != "" {
		request.Header.Set("Traceparent", traceparent)
	}
	answer := httptest.NewRecorder()
	d.api.ServeHTTP(answer, request)
	if answer.Code != http.StatusOK {
		t.Fatalf("create: %d %s", answer.Code, answer.Body)
	}
	d.settle(t)
	d.run(t)
}

// run has the cluster's one pod run and tells of it as the cluster does.
func (d *deployment) run(t *testing.T) {
	t.Helper()
	api := d.cluster.CoreV1().Pods("pods")
	list, err := api.List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 1 {
		t.Fatalf("the cluster has %d pods (%v), want 1", len(list.Items), err)
	}
	made := list.Items[0]
	made.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.0.0.1", ContainerStatuses: []corev1.ContainerStatus{{
		Name:  manifests.ContainerName,
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}},
	}}}
	if _, err := api.UpdateStatus(t.Context(), &made, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	event := cloudevents.NewEvent()
	event.SetID("1")
	event.SetType(events.TypeClusterUpdated)
	event.SetSource("https://cluster")
	event.SetSubject("/apis/v1/namespaces/pods/pods/" + made.Name)
	event.SetExtension("kind", "Pod")
	reference := corev1.ObjectReference{Kind: "Pod", APIVersion: "v1", Namespace: "pods", Name: made.Name}
	if err := event.SetData(cloudevents.ApplicationJSON, reference); err != nil {
		t.Fatal(err)
	}
	if err := d.broker.Send(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	d.settle(t)
	pod, _, err := d.store.Pod(t.Context(), "dev", "tracedpod")
	if err != nil || pod.Status != pods.StatusAvailable {
		t.Fatalf("the pod is %s (%v), want AVAILABLE", pod.Status, err)
	}
}

const (
	traceID     = "4bf92f3577b34da6a3ce929d0e0e4736"
	traceparent = "00-" + traceID + "-00f067aa0ba902b7-01"
)

// TestOneTraceFromRequestToAvailable follows one create by its spans. It is not
// parallel: tracing is one for the process.
func TestOneTraceFromRequestToAvailable(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	stop, err := telemetry.Start(t.Context(), telemetry.Options{Service: "podsd", Processor: recorder})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stop(context.Background()) }()
	d := deploy(t)
	d.create(t, traceparent)

	spans := map[string]sdktrace.ReadOnlySpan{} // of the trace, by name; the last of a name
	var names []string
	for _, span := range recorder.Ended() {
		if span.SpanContext().TraceID().String() == traceID {
			spans[span.Name()] = span
			names = append(names, span.Name())
		}
	}
	for child, parent := range map[string]string{
		"spawner handle": "POST /pods", "kubernetes ensure": "spawner handle", "health move": "spawner handle", "logs handle": "health move",
	} {
		if spans[child] == nil || spans[parent] == nil {
			t.Fatalf("the trace has no span %q or %q; it has %q", child, parent, names)
		}
		if got, want := spans[child].Parent().SpanID(), spans[parent].SpanContext().SpanID(); got != want {
			t.Errorf("%q is below %s, want below %q %s", child, got, parent, want)
		}
	}
	if links := spans["health move"].Links(); len(links) != 1 {
		t.Errorf("the move has %d links, want one to the cluster's event", len(links))
	}
	checkNoSecrets(t, d, recorder.Ended())
}

// checkNoSecrets looks for the pod's credentials in all spans.
func checkNoSecrets(t *testing.T, d *deployment, spans []sdktrace.ReadOnlySpan) {
	t.Helper()
	creds, err := d.store.Credentials(t.Context(), "dev", "tracedpod")
	if err != nil {
		t.Fatal(err)
	}
	for _, span := range spans {
		for _, attribute := range span.Attributes() {
			value := attribute.Value.String()
			if strings.Contains(value, creds.UserPassword) || strings.Contains(value, creds.AdminPassword) {
				t.Errorf("span %q shows a credential in %s", span.Name(), attribute.Key)
			}
		}
	}
}

// TestTraceWithoutExporter sees that events go on in the trace of their request
// when no spans are made, so that logs can be put together.
func TestTraceWithoutExporter(t *testing.T) {
	for name, traceparent := range map[string]string{"Named": traceparent, "New": ""} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t)
			d.create(t, traceparent)
			var traces []string
			for _, event := range podstest.Outbox(t, d.store) {
				trace := telemetry.TraceID(telemetry.Extract(t.Context(), event))
				if !slices.Contains(traces, trace) {
					traces = append(traces, trace)
				}
			}
			if len(traces) != 1 || traces[0] == "" || traceparent != "" && traces[0] != traceID {
				t.Errorf("the events of one create are of the traces %q, want one", traces)
			}
		})
	}
}
