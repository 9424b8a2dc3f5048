package manifests_test

import (
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// TestTraefikComponent renders each overlay with the component that brings
// visitors to pods through Traefik.
func TestTraefikComponent(t *testing.T) {
	if _, err := rendered(); err != nil { // kustomize makes one thing at a time
		t.Fatal(err)
	}
	for _, overlay := range overlays {
		t.Run(overlay, func(t *testing.T) {
			with := buildWith(t, overlay, "traefik")
			service := with.of("", "Service").named("api-direct")
			policy := with.of("networking.k8s.io", "NetworkPolicy").named("traefik")
			if service == nil || policy == nil {
				t.Fatal("the component adds no service or no policy")
			}
			spec := decode[corev1.ServiceSpec](service, "spec")
			if spec.Selector["serving.knative.dev/service"] != "api" || spec.Ports[0].TargetPort.IntValue() != 8012 {
				t.Errorf("Traefik is led to %v at %v", spec.Selector, spec.Ports)
			}
			from := decode[networkingv1.NetworkPolicySpec](policy, "spec")
			if policy.GetNamespace() != podsNamespace || len(from.Ingress) != 1 || from.Ingress[0].From[0].PodSelector == nil {
				t.Errorf("pods in %s may be reached from %+v", policy.GetNamespace(), from.Ingress)
			}
			if !hasSettings(with, map[string]string{
				"PODS_TRAEFIK_BACKENDS": "address", "PODS_NAMESPACE": "pods",
				"PODS_TRAEFIK_API_URL": "http://" + service.GetName() + "." + service.GetNamespace() + ".svc.cluster.local",
			}) {
				t.Error("the functions' settings lack those for Traefik")
			}
		})
	}
}

// hasSettings reports whether one ConfigMap holds all of wanted.
func hasSettings(all deployment, wanted map[string]string) bool {
next:
	for _, object := range all.of("", "ConfigMap") {
		data, _, _ := unstructured.NestedStringMap(object.Object, "data")
		for name, value := range wanted {
			if data[name] != value {
				continue next
			}
		}
		return true
	}
	return false
}

// patch is what an operator changes in an overlay of their own.
type patch struct {
	Target map[string]string `json:"target"`
	Patch  string            `json:"patch"` // as RFC 6902 has it
}

// buildWith renders an overlay with one of the components, and patches.
func buildWith(t *testing.T, overlay, component string, patches ...patch) deployment {
	t.Helper()
	config, err := filepath.Abs(filepath.Join("..", "..", "config", "knative"))
	if err != nil {
		t.Fatal(err)
	}
	folder, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(folder, config)
	if err != nil {
		t.Fatal(err)
	}
	content, err := yaml.Marshal(map[string]any{
		"resources":  []string{filepath.Join(relative, "overlays", overlay)},
		"components": []string{filepath.Join(relative, "components", component)},
		"patches":    patches,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := build(folder)
	if err != nil {
		t.Fatal(err)
	}
	return all
}
