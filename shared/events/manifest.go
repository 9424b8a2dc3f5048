package events

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

const (
	triggerKind       = "Trigger"
	triggerAPIVersion = "eventing.knative.dev/v1"
)

// manifest is what a Trigger's manifest may hold here. Reading is strict: a
// field that this package does not act on would make the one-process service
// behave differently from a Knative deployment.
type manifest struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Name        string            `yaml:"name"`
		Namespace   string            `yaml:"namespace"`
		Labels      map[string]string `yaml:"labels"`
		Annotations map[string]string `yaml:"annotations"`
	} `yaml:"metadata"`
	Spec struct {
		Broker string `yaml:"broker"`
		Filter struct {
			Attributes map[string]string `yaml:"attributes"`
		} `yaml:"filter"`
		Filters    []Filter         `yaml:"filters"`
		Subscriber destination      `yaml:"subscriber"`
		Delivery   deliveryManifest `yaml:"delivery"`
	} `yaml:"spec"`
}

type deliveryManifest struct {
	Retry          int          `yaml:"retry"`
	BackoffPolicy  Backoff      `yaml:"backoffPolicy"`
	BackoffDelay   duration     `yaml:"backoffDelay"`
	Timeout        duration     `yaml:"timeout"`
	DeadLetterSink *destination `yaml:"deadLetterSink"`
}

type destination struct {
	Ref struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string `yaml:"kind"`
		Name       string `yaml:"name"`
		Namespace  string `yaml:"namespace"`
	} `yaml:"ref"`
	URI string `yaml:"uri"` // path on the service that Ref names
}

// ParseTriggers returns the Knative Triggers among the YAML documents in data,
// in their order. Documents of other kinds are skipped.
//
// Errors: for what Knative would refuse, for fields that are not known here,
// and for two triggers of one name.
func ParseTriggers(data []byte) ([]Trigger, error) {
	var triggers []Trigger
	names := map[string]bool{}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return triggers, nil
		}
		if err != nil {
			return nil, fmt.Errorf("parse triggers: %w", err)
		}
		trigger, found, err := parseTrigger(&document)
		if err != nil {
			return nil, err
		}
		if !found {
			continue
		}
		if names[trigger.Name] {
			return nil, fmt.Errorf("trigger %s: there are two of that name", trigger.Name)
		}
		names[trigger.Name] = true
		triggers = append(triggers, trigger)
	}
}

// parseTrigger reports in found whether document is a trigger at all.
func parseTrigger(document *yaml.Node) (trigger Trigger, found bool, err error) {
	var head struct {
		Kind string `yaml:"kind"`
	}
	if document.Decode(&head) != nil || head.Kind != triggerKind {
		return Trigger{}, false, nil
	}
	var m manifest
	if err := decodeStrictly(document, &m); err != nil {
		return Trigger{}, false, fmt.Errorf("parse trigger in line %d: %w", document.Line, err)
	}
	trigger = m.trigger()
	if err := m.check(trigger); err != nil {
		return Trigger{}, false, fmt.Errorf("trigger %q: %w", trigger.Name, err)
	}
	return trigger, true, nil
}

func decodeStrictly(document *yaml.Node, into any) error {
	text, err := yaml.Marshal(document)
	if err != nil {
		return err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	return decoder.Decode(into)
}

func (m manifest) trigger() Trigger {
	d := m.Spec.Delivery
	timeout := time.Duration(d.Timeout)
	if timeout == 0 {
		timeout = defaultTimeout
	}
	path := m.Spec.Subscriber.URI
	if path == "" {
		path = "/"
	}
	return Trigger{
		Name: m.Metadata.Name, Filter: m.filter(), Subscriber: m.Spec.Subscriber.Ref.Name, Path: path,
		Delivery: Delivery{
			Retry: d.Retry, Backoff: d.BackoffPolicy, Delay: time.Duration(d.BackoffDelay),
			Timeout: timeout, DeadLetters: d.DeadLetterSink != nil,
		},
	}
}

// filter returns the newer form where both are given, as Knative does.
func (m manifest) filter() Filter {
	if len(m.Spec.Filters) > 0 {
		return Filter{All: m.Spec.Filters}
	}
	filter := Filter{Exact: map[string]string{}, Prefix: map[string]string{}}
	for name, value := range m.Spec.Filter.Attributes {
		if value == "" {
			filter.Prefix[name] = "" // any value, but there must be one
			continue
		}
		filter.Exact[name] = value
	}
	return filter
}

func (m manifest) check(t Trigger) error {
	switch {
	case m.APIVersion != triggerAPIVersion:
		return fmt.Errorf("apiVersion is %q, must be %s", m.APIVersion, triggerAPIVersion)
	case t.Name == "":
		return errors.New("metadata.name is missing")
	case m.Spec.Broker == "":
		return errors.New("spec.broker is missing")
	case t.Subscriber == "":
		return errors.New("spec.subscriber.ref.name is missing")
	case t.Path[0] != '/':
		return fmt.Errorf("spec.subscriber.uri is %q, must be a path", t.Path)
	}
	return t.Delivery.check()
}

// duration is a time.Duration written as ISO 8601 has it: PT0.2S, PT1M, P1D.
type duration time.Duration

var durationPattern = regexp.MustCompile(`^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$`)

// UnmarshalYAML reads a duration of at least one part; years, months and weeks
// have no place in a delivery.
func (d *duration) UnmarshalYAML(node *yaml.Node) error {
	parts := durationPattern.FindStringSubmatch(node.Value)
	if parts == nil || node.Value[len(node.Value)-1] == 'P' || node.Value[len(node.Value)-1] == 'T' {
		return fmt.Errorf("line %d: %q is no ISO 8601 duration of days, hours, minutes and seconds", node.Line, node.Value)
	}
	var seconds float64
	for i, unit := range []float64{24 * 60 * 60, 60 * 60, 60, 1} {
		if parts[i+1] == "" {
			continue
		}
		count, err := strconv.ParseFloat(parts[i+1], 64)
		if err != nil {
			return fmt.Errorf("line %d: %q: %w", node.Line, node.Value, err)
		}
		seconds += count * unit
	}
	if seconds > float64(maxDuration/time.Second) {
		return fmt.Errorf("line %d: %s is more than %s", node.Line, node.Value, maxDuration)
	}
	*d = duration(seconds * float64(time.Second))
	return nil
}

// maxDuration bounds what a delivery may be told to wait.
const maxDuration = 366 * 24 * time.Hour
