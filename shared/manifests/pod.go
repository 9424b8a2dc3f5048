package manifests

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/templates"
)

// Pod returns the Kubernetes pod for the current run of pod, which is the
// merged one: templates applied. Credential placeholders in environment,
// command and arguments are replaced here and nowhere stored.
//
// Errors: KindInvalid when the pod asks for a volume, a GPU or a profile that
// this installation does not have.
func Pod(pod pods.Pod, creds pods.Credentials, profile templates.Profile, options Options) (*corev1.Pod, error) {
	volumes, mounts, err := volumes(pod, options.Storage)
	if err != nil {
		return nil, err
	}
	container, err := container(pod, creds, profile, options)
	if err != nil {
		return nil, err
	}
	container.VolumeMounts = mounts
	queue := options.queue(pod.ComputeQueue)
	return &corev1.Pod{
		ObjectMeta: meta(pod, options),
		Spec: corev1.PodSpec{
			Containers:                    []corev1.Container{container},
			Volumes:                       volumes,
			Hostname:                      hostname(pod.ID),
			RestartPolicy:                 corev1.RestartPolicyNever,
			TerminationGracePeriodSeconds: new(options.graceSeconds()),
			EnableServiceLinks:            new(false),
			AutomountServiceAccountToken:  new(false),
			NodeSelector:                  queue.NodeSelector,
			Tolerations:                   queue.Tolerations,
			SecurityContext:               podSecurity(pod),
		},
	}, nil
}

// volumesGroup owns the claims of a pod, so that a container that is not root
// can write to them. Any number does: Kubernetes puts the container in it.
const volumesGroup = 65533

func podSecurity(pod pods.Pod) *corev1.PodSecurityContext {
	security := &corev1.PodSecurityContext{
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	switch mounts := pod.Mounts(); {
	case slices.ContainsFunc(mounts, func(m pods.Mount) bool { return !m.IsShared() }):
		security.FSGroup = new(int64(volumesGroup))
		security.FSGroupChangePolicy = new(corev1.FSGroupChangeOnRootMismatch)
	case len(mounts) > 0:
		// In the group all the same; nobody goes through shared storage to give
		// all files to it.
		security.SupplementalGroups = []int64{volumesGroup}
	}
	return security
}

// hostname is the name the container finds for itself: the pod's id, one
// character less when that is as long as an id may be.
func hostname(podID string) string {
	return podID[:min(len(podID), maxLabel)]
}

// isLocalImage reports whether the image is one that no registry serves.
func isLocalImage(image string) bool {
	return strings.HasPrefix(image, "dev.local/")
}
