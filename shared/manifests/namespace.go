package manifests

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pods-service/pods/shared/storage"
)

// LabelSecurity on a namespace is the level of Kubernetes' pod security
// standards that its pods have to keep.
const LabelSecurity = "pod-security.kubernetes.io/enforce"

// SecurityLevels are those that Namespace gives: what it makes by default, and
// the next lower one, which forbids nothing, for storage by host paths.
var SecurityLevels = []string{"baseline", "privileged"}

// Namespace returns the namespace that holds users' pods. Kubernetes itself
// refuses there what no builder of this package makes: privileged containers,
// host networking and, unless pods get shared storage by them, host paths.
func Namespace(name string, shared storage.Source) *corev1.Namespace {
	level := SecurityLevels[0]
	if shared.HostPath != "" {
		level = SecurityLevels[1]
	}
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name,
		Labels: map[string]string{
			LabelManagedBy: ManagedBy,
			LabelSecurity:  level,
		},
	}}
}
