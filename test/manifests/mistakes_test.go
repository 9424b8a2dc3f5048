package manifests_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestRulesFindMistakes puts one mistake into the manifests and has the rule
// find it: a rule that finds nothing proves nothing.
func TestRulesFindMistakes(t *testing.T) {
	t.Parallel()

	const serving = "serving.knative.dev"
	tests := map[string]struct {
		rule        string
		group, kind string
		name        string
		change      func(object map[string]any)
		want        string // in what is reported
	}{
		"NoNamespace": {"Namespaces", serving, "Service", "api", set(nil, "metadata", "namespace"), "api"},
		"Latest":      {"Images", serving, "Service", "api", container("image", "dev.local/pods-api:latest"), "no tag"},
		"Untagged":    {"Images", "apps", "Deployment", "gateway", container("image", "gateway"), "no tag"},
		"Root":        {"NotRoot", "apps", "StatefulSet", "postgres", set(nil, "spec", "template", "spec", "securityContext"), "root"},
		"Privileged": {"NotRoot", serving, "Service", "logs",
			container("securityContext", map[string]any{"runAsNonRoot": true, "capabilities": map[string]any{"add": []any{"NET_RAW"}}}), "capabilities"},
		"NoLimit":      {"Resources", "batch", "Job", "migrate", container("resources", map[string]any{}), "no limit"},
		"NoProbe":      {"Probes", serving, "Service", "health", container("readinessProbe", nil), "probe"},
		"Token":        {"Tokens", "apps", "Deployment", "redis", set(nil, "spec", "template", "spec", "automountServiceAccountToken"), "token true"},
		"PublicPort":   {"HostPorts", "apps", "Deployment", "gateway", container("ports", []any{map[string]any{"hostPort": int64(80)}}), "port 80"},
		"NoAccount":    {"References", serving, "Service", "api", set("nobody", "spec", "template", "spec", "serviceAccountName"), "nobody"},
		"Wildcard":     {"Rights", "rbac.authorization.k8s.io", "Role", "spawner", set([]any{map[string]any{"verbs": []any{"*"}}}, "rules"), "*"},
		"NoRetry":      {"Triggers", "eventing.knative.dev", "Trigger", "spawner", set(int64(0), "spec", "delivery", "retry"), "once"},
		"NoDeadLetter": {"Triggers", "eventing.knative.dev", "Trigger", "logs", set(nil, "spec", "delivery", "deadLetterSink"), "dead letters"},
		"NoFunction":   {"Triggers", "eventing.knative.dev", "Trigger", "logs", set("log", "spec", "subscriber", "ref", "name"), "no function log"},
		"Patient":      {"Triggers", "eventing.knative.dev", "Trigger", "logs", set("PT90S", "spec", "delivery", "timeout"), "stops"},
		"NoBinding":    {"Bindings", "sources.knative.dev", "SinkBinding", "logs", set("log", "spec", "subject", "name"), "no SinkBinding for logs"},
		"Public":       {"Visibility", serving, "Service", "spawner", set(nil, "metadata", "labels"), "spawner"},
		"Open":         {"DefaultDeny", "networking.k8s.io", "NetworkPolicy", "nothing", set([]any{map[string]any{}}, "spec", "ingress"), "allows"},
		"Fragile":      {"Disruption", "policy", "PodDisruptionBudget", "api", set("x", "spec", "selector", "matchLabels", "serving.knative.dev/service"), "api"},
		"AnyPod":       {"Sources", "sources.knative.dev", "ApiServerSource", "pods", set([]any{map[string]any{"kind": "Pod"}}, "spec", "resources"), "watches"},
		"Privileges":   {"UsersNamespace", "", "Namespace", "pods", set(nil, "metadata", "labels"), "privileged"},
		"SelectsNone":  {"ServiceSelector", "", "Service", "gateway", set("x", "spec", "selector", "app.kubernetes.io/name"), "selects no pod"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			all := render(t, "local")
			for _, object := range all.of(tc.group, tc.kind) {
				if object.GetName() == tc.name {
					tc.change(object.Object)
				}
			}
			found := mistakes(all, rules[tc.rule])
			if !strings.Contains(strings.Join(found, "\n"), tc.want) {
				t.Errorf("the rule found %q, want something about %q", found, tc.want)
			}
		})
	}
}

// set puts a value into a field, or removes the field for nil.
func set(value any, fields ...string) func(map[string]any) {
	return func(object map[string]any) {
		if value == nil {
			unstructured.RemoveNestedField(object, fields...)
			return
		}
		if err := unstructured.SetNestedField(object, value, fields...); err != nil {
			panic(err) // the test names a field that is not there
		}
	}
}

// container sets a field of the first container.
func container(field string, value any) func(map[string]any) {
	return func(object map[string]any) {
		containers, _, _ := unstructured.NestedSlice(object, "spec", "template", "spec", "containers")
		set(value, field)(containers[0].(map[string]any))
		set(containers, "spec", "template", "spec", "containers")(object)
	}
}
