package manifests_test

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/manifests"
)

// news are the Triggers whose events the next tick tells again: nothing is lost
// with one, so they keep no dead letters.
var news = []string{"health-tick", "health-cluster"}

func triggersDeliver(d deployment, report func(string, ...any)) {
	brokers := d.of("eventing.knative.dev", "Broker").names()
	for _, object := range d.of("eventing.knative.dev", "Trigger") {
		name := object.GetName()
		trigger, err := parseTrigger(object)
		if err != nil {
			report("Trigger %s: podsd cannot read it: %v", name, err)
			continue
		}
		if broker, _, _ := unstructured.NestedString(object.Object, "spec", "broker"); !slices.Contains(brokers, broker) {
			report("Trigger %s: there is no Broker %s", name, broker)
		}
		subscriber := d.knativeServices().named(trigger.Subscriber)
		if subscriber == nil {
			report("Trigger %s: there is no function %s", name, trigger.Subscriber)
			continue
		}
		seconds, _, _ := unstructured.NestedInt64(subscriber.Object, "spec", "template", "spec", "timeoutSeconds")
		if trigger.Delivery.Timeout > time.Duration(seconds)*time.Second {
			report("Trigger %s waits %s for %s, which Knative stops after %d s", name, trigger.Delivery.Timeout, trigger.Subscriber, seconds)
		}
		if slices.Contains(news, name) {
			continue
		}
		if trigger.Delivery.Retry == 0 || trigger.Delivery.Backoff == "" || trigger.Delivery.Delay == 0 {
			report("Trigger %s: tries once, or without waiting", name)
		}
		uri, _, _ := unstructured.NestedString(object.Object, "spec", "delivery", "deadLetterSink", "uri")
		sink, _, _ := unstructured.NestedString(object.Object, "spec", "delivery", "deadLetterSink", "ref", "name")
		if !trigger.Delivery.DeadLetters || sink != "health" || uri != "/dead-letters/"+name {
			report("Trigger %s: dead letters go to %s%s", name, sink, uri)
		}
	}
}

// parseTrigger reads a Trigger as the service in one process does.
func parseTrigger(object *unstructured.Unstructured) (events.Trigger, error) {
	text, err := yaml.Marshal(object.Object)
	if err != nil {
		return events.Trigger{}, err
	}
	triggers, err := events.ParseTriggers(text)
	if err != nil {
		return events.Trigger{}, err
	}
	return triggers[0], nil
}

// sourcesFitHealth has the cluster tell of those objects that the functions make,
// in the way that health reads.
func sourcesFitHealth(d deployment, report func(string, ...any)) {
	ticks := d.of("sources.knative.dev", "PingSource")
	if len(ticks) != 1 {
		report("there are %d PingSources", len(ticks))
	}
	changes := d.of("sources.knative.dev", "ApiServerSource")
	if len(changes) != 1 {
		report("there are %d ApiServerSources", len(changes))
		return
	}
	if mode, _, _ := unstructured.NestedString(changes[0].Object, "spec", "mode"); mode != "Reference" {
		report("the mode of the ApiServerSource is %s", mode)
	}
	namespaces := decode[metav1.LabelSelector](changes[0], "spec", "namespaceSelector")
	if selector, err := metav1.LabelSelectorAsSelector(&namespaces); err != nil || selector.String() != corev1.LabelMetadataName+"="+podsNamespace {
		report("the ApiServerSource looks at the namespaces %v (%v)", selector, err)
	}
	resources, _, _ := unstructured.NestedSlice(changes[0].Object, "spec", "resources")
	if len(resources) != 1 {
		report("the ApiServerSource watches %v", resources)
		return
	}
	resource := &unstructured.Unstructured{Object: resources[0].(map[string]any)}
	watched := decode[metav1.LabelSelector](resource, "selector")
	got, err := metav1.LabelSelectorAsSelector(&watched)
	want, wantErr := labels.Parse(manifests.Selector)
	if err != nil || wantErr != nil || got.String() != want.String() || resource.GetKind() != "Pod" {
		report("the ApiServerSource watches each %s with %v, the service makes pods with %v", resource.GetKind(), got, want)
	}
}
