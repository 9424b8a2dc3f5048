package manifests

import (
	"path"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/storage"
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

// volumes returns the volumes of pod and where they appear in the container,
// in the order of their mount keys.
//
// Errors: KindInvalid for a mount that cannot be made on this installation.
func volumes(pod pods.Pod, shared storage.Source) ([]corev1.Volume, []corev1.VolumeMount, error) {
	var list []corev1.Volume
	var mounts []corev1.VolumeMount
	seen := map[string]bool{}
	for _, mount := range pod.Mounts() {
		if err := shared.Supports(mount); err != nil {
			return nil, nil, err
		}
		volume, subPath := claimVolume(pod, mount), mount.SubPath
		if mount.IsShared() {
			volume, subPath = sharedVolume(pod, mount, shared)
		}
		if !seen[volume.Name] {
			seen[volume.Name] = true
			list = append(list, volume)
		}
		mounts = append(mounts, corev1.VolumeMount{
			Name: volume.Name, MountPath: mount.Path, SubPath: subPath, ReadOnly: mount.ReadOnly,
		})
	}
	return list, mounts, nil
}

// claimVolume is the claim of the pod's own that mount shows.
func claimVolume(pod pods.Pod, mount pods.Mount) corev1.Volume {
	return corev1.Volume{Name: volumeName(pod, mount), VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claimName(pod, mount)},
	}}
}

// sharedVolume is the volume or snapshot that mount shows, and the folder in it.
// It is a Kubernetes volume of its own where the source allows that: see
// storage.Source.Apart. Nothing is made on the way, but by a claim.
func sharedVolume(pod pods.Pod, mount pods.Mount, shared storage.Source) (corev1.Volume, string) {
	folder := storage.Folder(pod.TenantID, mount)
	if shared.Claim != "" {
		return corev1.Volume{Name: "storage", VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: shared.Claim},
		}}, folder
	}
	volume := corev1.Volume{Name: "storage-" + shortHash(folder)}
	if shared.Server != "" {
		volume.NFS = &corev1.NFSVolumeSource{
			Server: shared.Server, Path: path.Join(shared.Export, folder), ReadOnly: mount.Type == pods.MountSnapshot,
		}
	} else {
		volume.HostPath = &corev1.HostPathVolumeSource{
			Path: path.Join(shared.HostPath, folder), Type: new(corev1.HostPathDirectory),
		}
	}
	return volume, mount.SubPath
}

// claimMounts returns the first mount of every claim.
func claimMounts(pod pods.Pod) []pods.Mount {
	var mounts []pods.Mount
	seen := map[string]bool{}
	for _, mount := range pod.Mounts() {
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
