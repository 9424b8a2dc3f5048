package manifests_test

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

func namespacesAreNamed(d deployment, report func(string, ...any)) {
	hasNone := []string{"Namespace", "ClusterDomainClaim", "PersistentVolume"}
	for _, object := range d {
		inOne := slices.Contains([]string{serviceNamespace, podsNamespace}, object.GetNamespace())
		if slices.Contains(hasNone, object.GetKind()) == inOne {
			report("%s %s is in the namespace %q", object.GetKind(), object.GetName(), object.GetNamespace())
		}
	}
}

func imagesArePinned(d deployment, report func(string, ...any)) {
	for _, w := range d.workloads() {
		for _, container := range w.template.Spec.Containers {
			_, tag, found := strings.Cut(container.Image, ":")
			if !found || tag == "latest" {
				report("%s: image %s has no tag of its own", w.name, container.Image)
			}
			if container.ImagePullPolicy != corev1.PullIfNotPresent {
				report("%s: imagePullPolicy is %q", w.name, container.ImagePullPolicy)
			}
		}
	}
}

func containersAreNotRoot(d deployment, report func(string, ...any)) {
	for _, w := range d.workloads() {
		pod := w.template.Spec.SecurityContext
		if pod == nil {
			pod = &corev1.PodSecurityContext{}
		}
		for _, container := range w.template.Spec.Containers {
			own := container.SecurityContext
			if own == nil {
				report("%s: container %s has no securityContext", w.name, container.Name)
				continue
			}
			if worksOnFiles(w, own) {
				continue
			}
			if !isTrue(own.RunAsNonRoot) && !isTrue(pod.RunAsNonRoot) {
				report("%s: may run as root", w.name)
			}
			if (own.RunAsUser == nil || *own.RunAsUser == 0) && (pod.RunAsUser == nil || *pod.RunAsUser == 0) {
				report("%s: names no user", w.name)
			}
			if own.AllowPrivilegeEscalation == nil || *own.AllowPrivilegeEscalation {
				report("%s: may gain privileges", w.name)
			}
			if !isTrue(own.ReadOnlyRootFilesystem) {
				report("%s: may write into its image", w.name)
			}
			if own.Capabilities == nil || !slices.Equal(own.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(own.Capabilities.Add) > 0 {
				report("%s: has capabilities", w.name)
			}
			if !isDefaultProfile(own.SeccompProfile) && !isDefaultProfile(pod.SeccompProfile) {
				report("%s: has no seccomp profile", w.name)
			}
		}
	}
}

// worksOnFiles reports whether the api is root to reach files whatever their
// owner, and may do that alone. As root it takes no secret that others can read.
func worksOnFiles(w workload, own *corev1.SecurityContext) bool {
	rights := []corev1.Capability{"CHOWN", "DAC_OVERRIDE", "FOWNER"}
	hasOpenSecret := slices.ContainsFunc(w.template.Spec.Volumes, func(volume corev1.Volume) bool {
		return volume.Secret != nil && (volume.Secret.DefaultMode == nil || *volume.Secret.DefaultMode != 0o400)
	})
	return w.function == "api" && !hasOpenSecret && own.Capabilities != nil && slices.Equal(own.Capabilities.Add, rights) &&
		slices.Equal(own.Capabilities.Drop, []corev1.Capability{"ALL"}) && isFalse(own.AllowPrivilegeEscalation) &&
		isTrue(own.ReadOnlyRootFilesystem) && isDefaultProfile(own.SeccompProfile)
}

func isTrue(value *bool) bool { return value != nil && *value }

func isDefaultProfile(profile *corev1.SeccompProfile) bool {
	return profile != nil && profile.Type == corev1.SeccompProfileTypeRuntimeDefault
}

func resourcesAreBounded(d deployment, report func(string, ...any)) {
	for _, w := range d.workloads() {
		for _, container := range w.template.Spec.Containers {
			for _, resource := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
				if container.Resources.Requests.Name(resource, "").IsZero() {
					report("%s: requests no %s", w.name, resource)
				}
				if container.Resources.Limits.Name(resource, "").IsZero() {
					report("%s: has no limit of %s", w.name, resource)
				}
			}
		}
	}
}

func serversAreProbed(d deployment, report func(string, ...any)) {
	for _, w := range d.workloads() {
		for _, container := range w.template.Spec.Containers {
			if !w.isJob && (container.ReadinessProbe == nil || container.LivenessProbe == nil) {
				report("%s: lacks a probe", w.name)
			}
		}
	}
}

// tokensAreNeeded has each pod carry a token exactly if its account may do
// anything with it.
func tokensAreNeeded(d deployment, report func(string, ...any)) {
	bound := map[string]bool{}
	for _, binding := range d.of(rbacv1.GroupName, "RoleBinding") {
		for _, subject := range decode[rbacv1.RoleBinding](binding).Subjects {
			bound[subject.Name] = true
		}
	}
	accounts := d.of("", "ServiceAccount")
	for _, w := range d.workloads() {
		account := accounts.named(w.template.Spec.ServiceAccountName)
		hasToken := !isFalse(w.template.Spec.AutomountServiceAccountToken)
		if account != nil && hasToken {
			hasToken = !isFalse(decode[corev1.ServiceAccount](account).AutomountServiceAccountToken)
		}
		if hasToken != bound[w.template.Spec.ServiceAccountName] {
			report("%s: token %v, rights %v", w.name, hasToken, bound[w.template.Spec.ServiceAccountName])
		}
		if !isFalse(w.template.Spec.EnableServiceLinks) {
			report("%s: is told of every service by its environment", w.name)
		}
	}
}

func isFalse(value *bool) bool { return value != nil && !*value }

func portsOfTheNodeAreLoopback(d deployment, report func(string, ...any)) {
	for _, w := range d.workloads() {
		if w.template.Spec.HostNetwork || w.template.Spec.HostPID || w.template.Spec.HostIPC {
			report("%s: shares a namespace with the node", w.name)
		}
		for _, container := range w.template.Spec.Containers {
			for _, port := range container.Ports {
				if port.HostPort != 0 && port.HostIP != "127.0.0.1" {
					report("%s: takes port %d of the node at %q", w.name, port.HostPort, port.HostIP)
				}
			}
		}
	}
}
