package manifests_test

import (
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// TestACMEComponent renders each overlay with the component by which the
// gateway orders certificates.
func TestACMEComponent(t *testing.T) {
	if _, err := rendered(); err != nil { // kustomize makes one thing at a time
		t.Fatal(err)
	}
	for _, overlay := range overlays {
		t.Run(overlay, func(t *testing.T) {
			with := buildWith(t, overlay, "acme")
			claim := with.of("", "PersistentVolumeClaim").named("gateway-acme")
			policy := with.of("networking.k8s.io", "NetworkPolicy").named("gateway-acme")
			gateway := with.of("apps", "Deployment").named("gateway")
			if claim == nil || policy == nil || gateway == nil {
				t.Fatal("the component adds no claim or no policy, or there is no gateway")
			}
			const folder = "/var/lib/pods/acme"
			pod := decode[appsv1.DeploymentSpec](gateway, "spec").Template
			mounted := slices.ContainsFunc(pod.Spec.Containers[0].VolumeMounts, func(mount corev1.VolumeMount) bool {
				return mount.MountPath == folder && !mount.ReadOnly && slices.ContainsFunc(pod.Spec.Volumes, func(volume corev1.Volume) bool {
					return volume.Name == mount.Name && volume.PersistentVolumeClaim != nil && volume.PersistentVolumeClaim.ClaimName == claim.GetName()
				})
			})
			for _, volume := range pod.Spec.Volumes {
				if s := volume.Secret; s != nil && s.SecretName == "gateway-tls" && (s.Optional == nil || !*s.Optional) {
					t.Error("the gateway does not start without a certificate of the operator's")
				}
			}
			if !mounted {
				t.Errorf("the claim is not at %s of the gateway: %+v", folder, pod.Spec.Containers[0].VolumeMounts)
			}
			rules := decode[networkingv1.NetworkPolicySpec](policy, "spec")
			for name, value := range rules.PodSelector.MatchLabels {
				if pod.Labels[name] != value {
					t.Errorf("the policy is not for the gateway: %v", rules.PodSelector.MatchLabels)
				}
			}
			if !hasSettings(with, map[string]string{
				"PODS_ACME_DIRECTORY": "https://acme-v02.api.letsencrypt.org/directory", "PODS_ACME_STORAGE": folder, "PODS_NAMESPACE": "pods",
			}) {
				t.Error("the gateway's settings lack those for ACME")
			}
		})
	}
}
