package manifests

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/pods-service/pods/shared/pods"
)

// claimSize is what a claim made for a pod asks for.
const claimSize = "10Gi"

// Claims returns the claims that the pvc mounts of pod need, one for each
// source. They belong to the life of the pod, not to a run: they stay when it
// stops and go when it is deleted.
func Claims(pod pods.Pod, options Options) []*corev1.PersistentVolumeClaim {
	var claims []*corev1.PersistentVolumeClaim
	for _, mount := range claimMounts(pod) {
		object := meta(pod, options)
		object.Name = claimName(pod, mount)
		delete(object.Labels, LabelInstance)
		claim := &corev1.PersistentVolumeClaim{
			ObjectMeta: object,
			Spec: corev1.PersistentVolumeClaimSpec{
				AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
				Resources: corev1.VolumeResourceRequirements{
					Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(claimSize)},
				},
			},
		}
		if options.StorageClass != "" {
			claim.Spec.StorageClassName = new(options.StorageClass)
		}
		claims = append(claims, claim)
	}
	return claims
}

// storage returns the volumes of pod and where they appear in the container,
// in the order of their mount keys.
func storage(pod pods.Pod) ([]corev1.Volume, []corev1.VolumeMount, error) {
	var mounts []corev1.VolumeMount
	for _, mount := range normalMounts(pod) {
		if mount.Type != pods.MountPVC {
			return nil, nil, pods.Invalid("The mount at %s cannot be made: %s volumes are not available on this installation.",
				mount.Path, mount.Type)
		}
		mounts = append(mounts, corev1.VolumeMount{
			Name:      volumeName(pod, mount),
			MountPath: mount.Path,
			SubPath:   mount.SubPath,
			ReadOnly:  mount.ReadOnly,
		})
	}
	var volumes []corev1.Volume
	for _, mount := range claimMounts(pod) {
		source := corev1.PersistentVolumeClaimVolumeSource{ClaimName: claimName(pod, mount)}
		volumes = append(volumes, corev1.Volume{
			Name:         volumeName(pod, mount),
			VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &source},
		})
	}
	return volumes, mounts, nil
}

// normalMounts returns the mounts of pod in the order of their keys, without
// those that were removed.
func normalMounts(pod pods.Pod) []pods.Mount {
	var mounts []pods.Mount
	for _, key := range slices.Sorted(maps.Keys(pod.VolumeMounts)) {
		if mount := pod.VolumeMounts[key]; mount != nil {
			mounts = append(mounts, pods.NormalizeMount(key, *mount))
		}
	}
	return mounts
}

// claimMounts returns the first mount of every claim.
func claimMounts(pod pods.Pod) []pods.Mount {
	var mounts []pods.Mount
	seen := map[string]bool{}
	for _, mount := range normalMounts(pod) {
		source := claimSource(mount)
		if mount.Type == pods.MountPVC && !seen[source] {
			seen[source] = true
			mounts = append(mounts, mount)
		}
	}
	return mounts
}

// claimSource is what tells the claims of one pod apart: the name the user gave
// it, else the path it appears at.
func claimSource(mount pods.Mount) string {
	if mount.SourceID != "" {
		return mount.SourceID
	}
	return mount.Path
}

// claimName is the same for every run of one life of a pod and differs between
// lives, so a pod created anew never finds the data of one deleted before.
func claimName(pod pods.Pod, mount pods.Mount) string {
	return shorten(pod.K8sName, pod.UID+"\x00"+claimSource(mount))
}

func volumeName(pod pods.Pod, mount pods.Mount) string {
	return "claim-" + shortHash(pod.UID, claimSource(mount))
}
