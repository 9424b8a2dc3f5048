package manifests

import (
	"fmt"
	"maps"
	"slices"
)

// without names the kinds of objects that do nothing on a single machine.
var without = []string{"HorizontalPodAutoscaler", "PodDisruptionBudget"}

// settle fits the objects to a single machine. It fails when what it is to
// change is not there, as another version of Knative may have it elsewhere.
func settle(objects []object) ([]object, error) {
	objects = slices.DeleteFunc(objects, func(o object) bool { return slices.Contains(without, o.kind()) })
	open := maps.Clone(settings)
	for _, object := range objects {
		switch object.kind() {
		case "ConfigMap":
			configure(object, open[object.String()])
			delete(open, object.String())
		case "Deployment":
			lighten(object)
		}
	}
	if len(open) > 0 {
		return nil, fmt.Errorf("there is no %v of Knative to configure", slices.Sorted(maps.Keys(open)))
	}
	return objects, nil
}

// configure sets values of a ConfigMap. It takes out the examples, which are
// most of it and do nothing.
func configure(config object, values map[string]string) {
	delete(config.child("metadata", "annotations"), "knative.dev/example-checksum")
	data := config.child("data")
	if data == nil {
		data = object{}
		config["data"] = map[string]any(data)
	}
	delete(data, "_example")
	for key, value := range values {
		data[key] = value
	}
}

// lighten lets the programs of a Deployment share a small machine: they ask for
// next to nothing and may take what is free. Their readiness is asked for at
// once and often, since somebody is waiting for it.
func lighten(deployment object) {
	for _, container := range deployment.containers() {
		container["resources"] = map[string]any{"requests": map[string]any{"cpu": "10m", "memory": "32Mi"}}
		if probe := container.child("readinessProbe"); probe != nil {
			delete(probe, "initialDelaySeconds")
			probe["periodSeconds"] = 1
		}
	}
}
