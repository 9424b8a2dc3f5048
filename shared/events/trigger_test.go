package events_test

import (
	"os"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
)

// The triggers that the service ships: every type of event reaches the
// functions that act on it and no other.
func TestShippedTriggers(t *testing.T) {
	t.Parallel()

	manifest, err := os.ReadFile("../../config/knative/base/triggers.yaml")
	if err != nil {
		t.Fatal(err)
	}
	triggers, err := events.ParseTriggers(manifest)
	if err != nil {
		t.Fatalf("ParseTriggers: %v", err)
	}
	tests := map[string][]string{
		events.TypePodRequested:     {"spawner"},
		events.TypePodStopRequested: {"spawner", "logs"},
		events.TypePodDeleted:       {"spawner"},
		events.TypePodStatusChanged: {"logs"},
		events.TypePodLogsDue:       {"logs"},
		events.TypeSnapshotDue:      {"api"},
		events.TypeVolumeMeasureDue: {"api"},
		events.TypeVolumeCleanUpDue: {"api"},
		events.TypeTick:             {"health"},
		events.TypeClusterAdded:     {"health"},
		events.TypeClusterUpdated:   {"health"},
		events.TypeClusterDeleted:   {"health"},
		"io.pods.pod.unheard.v1":    nil,
	}
	for eventType, want := range tests {
		t.Run(eventType, func(t *testing.T) {
			t.Parallel()

			event := events.NewPod(eventType, pods.ActorAPI, podData("db"), noon)
			var got []string
			for _, trigger := range triggers {
				if trigger.Filter.Matches(event) {
					got = append(got, trigger.Subscriber)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("functions (-want +got):\n%s", diff)
			}
		})
	}
	for _, trigger := range triggers {
		if keeps := trigger.Subscriber != "health"; trigger.Delivery.DeadLetters != keeps {
			t.Errorf("trigger %s: keeps dead letters %t, want %t", trigger.Name, trigger.Delivery.DeadLetters, keeps)
		}
	}
}

const head = "apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {name: a}\nspec:\n  broker: default\n"

func TestParseTriggers(t *testing.T) {
	t.Parallel()

	subscriber := "  subscriber: {ref: {apiVersion: v1, kind: Service, name: logs}}\n"
	plain := events.Trigger{
		Name: "a", Subscriber: "logs", Path: "/", Delivery: events.Delivery{Timeout: time.Minute},
		Filter: events.Filter{Exact: map[string]string{}, Prefix: map[string]string{}},
	}
	full := plain
	full.Path = "/events"
	full.Delivery = events.Delivery{
		Retry: 2, Backoff: events.BackoffLinear, Delay: 1500 * time.Millisecond, Timeout: 2*time.Minute + 3*time.Second, DeadLetters: true,
	}
	full.Filter = events.Filter{Exact: map[string]string{"type": "t"}, Prefix: map[string]string{"kind": ""}}
	other := plain
	other.Filter = events.Filter{All: []events.Filter{{Not: &events.Filter{Suffix: map[string]string{"source": "x"}}}}}

	tests := map[string]struct {
		manifest string
		want     []events.Trigger
	}{
		"Empty":  {"", nil},
		"Plain":  {head + subscriber, []events.Trigger{plain}},
		"Skips":  {"# nothing\n---\napiVersion: v1\nkind: Service\nspec: {x: 1}\n---\n" + head + subscriber, []events.Trigger{plain}},
		"Scalar": {"text\n---\n" + head + subscriber, []events.Trigger{plain}},
		"Full": {head + `  filter: {attributes: {type: t, kind: ""}}
  subscriber: {ref: {name: logs}, uri: /events}
  delivery: {retry: 2, backoffPolicy: linear, backoffDelay: PT1.5S, timeout: PT2M3S, deadLetterSink: {uri: "http://x"}}
`, []events.Trigger{full}},
		"FiltersWin": {head + "  filter: {attributes: {type: t}}\n  filters: [{not: {suffix: {source: x}}}]\n" + subscriber, []events.Trigger{other}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got, err := events.ParseTriggers([]byte(tc.manifest))
			if err != nil {
				t.Fatalf("ParseTriggers: %v", err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("triggers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseTriggersRefuses(t *testing.T) {
	t.Parallel()

	whole := head + "  subscriber: {ref: {name: logs}}\n"
	tests := map[string]string{
		"NotYAML":       "a: [",
		"OldVersion":    "apiVersion: eventing.knative.dev/v1beta1\nkind: Trigger\nmetadata: {name: a}\nspec: {broker: b, subscriber: {ref: {name: x}}}",
		"NoSubscriber":  head,
		"NoBroker":      "apiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {name: a}\nspec: {subscriber: {ref: {name: x}}}",
		"NoName":        "apiVersion: eventing.knative.dev/v1\nkind: Trigger\nspec: {broker: b, subscriber: {ref: {name: x}}}",
		"AbsoluteURI":   head + "  subscriber: {ref: {name: logs}, uri: \"http://x\"}",
		"Misspelt":      whole + "  delivery: {retries: 3}",
		"UnknownFilter": whole + "  filters: [{cesql: \"true\"}]",
		"UnknownPolicy": whole + "  delivery: {backoffPolicy: fibonacci}",
		"Negative":      whole + "  delivery: {retry: -1}",
		"NoUnit":        whole + "  delivery: {timeout: 60}",
		"EmptyPeriod":   whole + "  delivery: {timeout: P}",
		"OpenPeriod":    whole + "  delivery: {timeout: P1DT}",
		"Years":         whole + "  delivery: {timeout: P1Y}",
		"Endless":       whole + "  delivery: {timeout: P99999999999D}",
		"Twice":         whole + "---\n" + whole,
	}
	for name, manifest := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if got, err := events.ParseTriggers([]byte(manifest)); err == nil {
				t.Errorf("ParseTriggers took it: %+v", got)
			}
		})
	}
}

func TestFilterMatches(t *testing.T) {
	t.Parallel()

	event := events.NewPod(events.TypePodRequested, pods.ActorAPI, podData("db"), noon)
	event.SetExtension("kind", "Pod")
	event.SetExtension("priority", 7)
	exact := func(name, value string) events.Filter { return events.Filter{Exact: map[string]string{name: value}} }
	yes, no := exact("kind", "Pod"), exact("kind", "Node")
	bare := cloudevents.NewEvent()

	tests := map[string]struct {
		event  cloudevents.Event
		filter events.Filter
		want   bool
	}{
		"Zero":          {event, events.Filter{}, true},
		"Type":          {event, exact("type", events.TypePodRequested), true},
		"TypeOther":     {event, exact("type", events.TypePodDeleted), false},
		"Subject":       {event, exact("subject", "dev/db"), true},
		"Time":          {event, exact("time", "2026-05-04T12:00:00Z"), true},
		"Source":        {event, exact("source", "/pods/api"), true},
		"Number":        {event, exact("priority", "7"), true},
		"CaseMatters":   {event, exact("kind", "pod"), false},
		"Missing":       {event, exact("name", ""), false},
		"NoTime":        {bare, events.Filter{Prefix: map[string]string{"time": ""}}, false},
		"Prefix":        {event, events.Filter{Prefix: map[string]string{"type": "io.pods."}}, true},
		"PrefixOther":   {event, events.Filter{Prefix: map[string]string{"type": "dev."}}, false},
		"Suffix":        {event, events.Filter{Suffix: map[string]string{"type": ".v1", "kind": "od"}}, true},
		"All":           {event, events.Filter{All: []events.Filter{yes, yes}}, true},
		"AllButOne":     {event, events.Filter{All: []events.Filter{yes, no}}, false},
		"Any":           {event, events.Filter{Any: []events.Filter{no, yes}}, true},
		"None":          {event, events.Filter{Any: []events.Filter{no, no}}, false},
		"Not":           {event, events.Filter{Not: &no}, true},
		"NotButIs":      {event, events.Filter{Not: &yes}, false},
		"PartsAreAnded": {event, events.Filter{Any: []events.Filter{yes}, Not: &yes}, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if got := tc.filter.Matches(tc.event); got != tc.want {
				t.Errorf("Matches = %t, want %t", got, tc.want)
			}
		})
	}
}

func TestDeliveryWait(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		backoff events.Backoff
		retry   int
		want    time.Duration
	}{
		"None":             {"", 3, 0},
		"LinearFirst":      {events.BackoffLinear, 0, 0},
		"LinearThird":      {events.BackoffLinear, 2, 400 * time.Millisecond},
		"ExponentialFirst": {events.BackoffExponential, 0, 200 * time.Millisecond},
		"ExponentialLast":  {events.BackoffExponential, 7, 25600 * time.Millisecond},
		"NoOverflow":       {events.BackoffExponential, 1000, 1<<62 - 1},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			delivery := events.Delivery{Backoff: tc.backoff, Delay: 200 * time.Millisecond}
			if got := delivery.Wait(tc.retry); got != tc.want {
				t.Errorf("Wait(%d) = %s, want %s", tc.retry, got, tc.want)
			}
		})
	}
}
