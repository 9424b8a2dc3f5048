// Package manifests_test checks what config/knative deploys: offline, rule by
// rule, what kustomize makes of each overlay; and on a cluster, what the accounts
// may do there.
package manifests_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// The two namespaces of a deployment.
const (
	serviceNamespace = "pods-service"
	podsNamespace    = "pods"
)

var overlays = []string{"local", "production"}

// functions are those that run as Knative Services.
var functions = []string{"api", "health", "logs", "spawner"}

// deployment is all that an overlay deploys.
type deployment []*unstructured.Unstructured

// rendered makes what kustomize makes of each overlay, once it is asked for. It
// makes one after another: kustomize keeps what it knows of kinds in one place.
var rendered = sync.OnceValues(func() (map[string]deployment, error) {
	made := map[string]deployment{}
	for _, overlay := range overlays {
		all, err := build(filepath.Join("..", "..", "config", "knative", "overlays", overlay))
		if err != nil {
			return nil, fmt.Errorf("render %s: %w", overlay, err)
		}
		made[overlay] = all
	}
	return made, nil
})

// render returns what kustomize makes of an overlay, for the test to change.
func render(t *testing.T, overlay string) deployment {
	t.Helper()
	made, err := rendered()
	if err != nil {
		t.Fatal(err)
	}
	all := made[overlay]
	copied := make(deployment, len(all))
	for i, object := range all {
		copied[i] = object.DeepCopy()
	}
	return copied
}

// build returns what kustomize makes of a folder.
func build(folder string) (deployment, error) {
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, err
	}
	var all deployment
	for _, resource := range resources.Resources() {
		text, err := resource.MarshalJSON()
		if err != nil {
			return nil, err
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(text); err != nil {
			return nil, err
		}
		all = append(all, object)
	}
	return all, nil
}

// of returns the objects of a kind; kinds of one name differ by their group.
func (d deployment) of(group, kind string) deployment {
	var found deployment
	for _, object := range d {
		if gvk := object.GroupVersionKind(); gvk.Group == group && gvk.Kind == kind {
			found = append(found, object)
		}
	}
	return found
}

func (d deployment) named(name string) *unstructured.Unstructured {
	for _, object := range d {
		if object.GetName() == name {
			return object
		}
	}
	return nil
}

func (d deployment) names() []string {
	names := make([]string, len(d))
	for i, object := range d {
		names[i] = object.GetName()
	}
	return names
}

// knativeServices returns the functions.
func (d deployment) knativeServices() deployment { return d.of("serving.knative.dev", "Service") }

// decode reads a part of an object into a type of Kubernetes' own.
func decode[T any](object *unstructured.Unstructured, fields ...string) T {
	var into T
	part, _, _ := unstructured.NestedMap(object.Object, fields...)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(part, &into); err != nil {
		panic(object.GetName() + ": " + err.Error()) // the manifests are wrong beyond any rule
	}
	return into
}

// workload is something that runs pods.
type workload struct {
	name     string // kind and name
	template corev1.PodTemplateSpec
	isJob    bool
	function string // its name, for a Knative Service
}

// labels returns those of its pods.
func (w workload) labels() labels.Set {
	set := labels.Set(maps.Clone(w.template.Labels))
	if w.function != "" {
		set["serving.knative.dev/service"] = w.function // Knative adds it
	}
	return set
}

func (d deployment) workloads() []workload {
	var all []workload
	for _, kind := range []struct{ group, kind string }{
		{"serving.knative.dev", "Service"}, {"apps", "Deployment"}, {"apps", "StatefulSet"}, {"batch", "Job"},
	} {
		for _, object := range d.of(kind.group, kind.kind) {
			w := workload{
				name:     object.GetKind() + " " + object.GetName(),
				template: decode[corev1.PodTemplateSpec](object, "spec", "template"),
				isJob:    kind.kind == "Job",
			}
			if kind.kind == "Service" {
				w.function = object.GetName()
			}
			all = append(all, w)
		}
	}
	return all
}
