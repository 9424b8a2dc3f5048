package manifests

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Namespace returns the namespace that holds users' pods. Kubernetes itself
// refuses there what no builder of this package makes: privileged containers,
// host networking, host paths.
func Namespace(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name,
		Labels: map[string]string{
			LabelManagedBy:                       ManagedBy,
			"pod-security.kubernetes.io/enforce": "baseline",
		},
	}}
}
