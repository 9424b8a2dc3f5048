package manifests_test

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/pods-service/pods/shared/manifests"
	"github.com/pods-service/pods/shared/storage"
)

// What the overlays leave to whoever deploys.
var (
	givenSecrets    = []string{"database", "redis", "encryption", "login", "issuer", "gateway-ca", "gateway-tls", "api-tls"}
	givenConfigMaps = []string{"tenants"}
)

func referencesExist(d deployment, report func(string, ...any)) {
	accounts := append(d.of("", "ServiceAccount").names(), "") // databases need none
	configMaps := append(d.of("", "ConfigMap").names(), givenConfigMaps...)
	for _, w := range d.workloads() {
		spec := w.template.Spec
		if !slices.Contains(accounts, spec.ServiceAccountName) {
			report("%s: there is no account %s", w.name, spec.ServiceAccountName)
		}
		named, secrets := referencesOf(spec)
		for _, name := range named {
			if !slices.Contains(configMaps, name) {
				report("%s: there is no ConfigMap %s", w.name, name)
			}
		}
		for _, name := range secrets {
			if !slices.Contains(givenSecrets, name) {
				report("%s: nobody makes the Secret %s", w.name, name)
			}
		}
	}
}

// referencesOf returns the ConfigMaps and Secrets that a pod names.
func referencesOf(spec corev1.PodSpec) (configMaps, secrets []string) {
	for _, volume := range spec.Volumes {
		if volume.ConfigMap != nil {
			configMaps = append(configMaps, volume.ConfigMap.Name)
		}
		if volume.Secret != nil {
			secrets = append(secrets, volume.Secret.SecretName)
		}
	}
	for _, container := range spec.Containers {
		for _, from := range container.EnvFrom {
			if from.ConfigMapRef != nil {
				configMaps = append(configMaps, from.ConfigMapRef.Name)
			}
		}
		for _, variable := range container.Env {
			if variable.ValueFrom != nil && variable.ValueFrom.SecretKeyRef != nil {
				secrets = append(secrets, variable.ValueFrom.SecretKeyRef.Name)
			}
		}
	}
	return configMaps, secrets
}

// rightsAreNarrow allows no more than names in one namespace. What each account
// may do in the end is in rights_test.go.
func rightsAreNarrow(d deployment, report func(string, ...any)) {
	for _, kind := range []string{"ClusterRole", "ClusterRoleBinding"} {
		for _, object := range d.of(rbacv1.GroupName, kind) {
			report("%s %s goes for the whole cluster", kind, object.GetName())
		}
	}
	for _, object := range d.of(rbacv1.GroupName, "Role") {
		for _, rule := range decode[rbacv1.Role](object).Rules {
			for _, word := range slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs) {
				if word == "*" || word == "secrets" || word == "impersonate" || word == "escalate" || word == "bind" {
					report("Role %s: %s", object.GetName(), word)
				}
			}
		}
	}
}

func functionsKnowTheBroker(d deployment, report func(string, ...any)) {
	subjects := map[string]bool{}
	for _, binding := range d.of("sources.knative.dev", "SinkBinding") {
		name, _, _ := unstructured.NestedString(binding.Object, "spec", "subject", "name")
		subjects[name] = true
		if sink, _, _ := unstructured.NestedString(binding.Object, "spec", "sink", "ref", "kind"); sink != "Broker" {
			report("SinkBinding %s sends to a %s", binding.GetName(), sink)
		}
	}
	for _, name := range d.knativeServices().names() {
		if !subjects[name] {
			report("no SinkBinding for %s", name)
		}
	}
	for _, broker := range d.of("eventing.knative.dev", "Broker") {
		if broker.GetAnnotations()["eventing.knative.dev/broker.class"] == "" {
			report("Broker %s has no class", broker.GetName())
		}
	}
}

func onlyTheAPIIsPublic(d deployment, report func(string, ...any)) {
	for _, service := range d.knativeServices() {
		isLocal := service.GetLabels()["networking.knative.dev/visibility"] == "cluster-local"
		if isLocal == (service.GetName() == "api") {
			report("%s: visible in the cluster alone: %v", service.GetName(), isLocal)
		}
	}
}

func namespacesDenyByDefault(d deployment, report func(string, ...any)) {
	denied := map[string]bool{}
	for _, object := range d.of(networkingv1.GroupName, "NetworkPolicy") {
		spec := decode[networkingv1.NetworkPolicy](object).Spec
		isAll := len(spec.PodSelector.MatchLabels)+len(spec.PodSelector.MatchExpressions) == 0
		if isAll && len(spec.Ingress)+len(spec.Egress) == 0 && len(spec.PolicyTypes) == 2 {
			denied[object.GetNamespace()] = true
		}
	}
	for _, namespace := range d.of("", "Namespace").names() {
		if !denied[namespace] {
			report("%s allows all that no policy forbids", namespace)
		}
	}
}

func disruptionIsBounded(d deployment, report func(string, ...any)) {
	bounded := map[string]bool{}
	for _, object := range d.of(policyv1.GroupName, "PodDisruptionBudget") {
		for _, name := range decode[policyv1.PodDisruptionBudget](object).Spec.Selector.MatchLabels {
			bounded[name] = true
		}
	}
	for _, name := range append(slices.Clone(functions), "gateway") {
		if !bounded[name] {
			report("a node that is emptied may take all of %s", name)
		}
	}
}

func usersNamespaceIsAsBuilt(d deployment, report func(string, ...any)) {
	var shared storage.Source
	for _, settings := range d.of("", "ConfigMap") {
		if path, found, _ := unstructured.NestedString(settings.Object, "data", "PODS_STORAGE_HOST_PATH"); found {
			shared.HostPath = path
		}
	}
	want := manifests.Namespace(podsNamespace, shared).Labels
	got := d.of("", "Namespace").named(podsNamespace).GetLabels()
	for name, value := range want {
		if got[name] != value {
			report("label %s is %q, and %q in shared/manifests", name, got[name], value)
		}
	}
}

func servicesSelectSomething(d deployment, report func(string, ...any)) {
	for _, object := range d.of("", "Service") {
		selector := labels.SelectorFromSet(decode[corev1.Service](object).Spec.Selector)
		matches := func(w workload) bool { return selector.Matches(w.labels()) }
		if selector.Empty() || !slices.ContainsFunc(d.workloads(), matches) {
			report("Service %s selects no pod of the deployment", object.GetName())
		}
	}
}
