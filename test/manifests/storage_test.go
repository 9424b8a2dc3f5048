package manifests_test

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

const storageFolder = "/var/lib/pods/storage"

// TestStorageComponents renders the overlay for people with the components by
// which the api and pods find the same files.
func TestStorageComponents(t *testing.T) {
	if _, err := rendered(); err != nil { // kustomize makes one thing at a time
		t.Fatal(err)
	}
	tests := map[string]struct {
		settings map[string]string
		volumes  []string // that the component brings
		claims   []string // in the namespace of the pods
	}{
		"storage-nfs": {
			settings: map[string]string{"PODS_STORAGE_NFS": "nfs.example.org:/export/pods"},
			volumes:  []string{"pods-service-storage"},
		},
		"storage-claim": {
			settings: map[string]string{"PODS_STORAGE_CLAIM": "storage"},
			claims:   []string{"storage"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			with := buildWith(t, "production", name)
			checkStorage(t, with)
			tc.settings["PODS_NAMESPACE"] = podsNamespace
			if !hasSettings(with, tc.settings) {
				t.Errorf("the settings lack some of %v", tc.settings)
			}
			volumes := with.of("", "PersistentVolume")
			if got := volumes.names(); !slices.Equal(got, tc.volumes) && len(got)+len(tc.volumes) > 0 {
				t.Errorf("volumes %v, want %v", got, tc.volumes)
			}
			for _, object := range volumes {
				nfs := decode[corev1.PersistentVolume](object).Spec.NFS
				if nfs == nil || nfs.Server+":"+nfs.Path != tc.settings["PODS_STORAGE_NFS"] {
					t.Errorf("the api finds its files at %+v, pods at %s", nfs, tc.settings["PODS_STORAGE_NFS"])
				}
			}
			var claims []string
			for _, claim := range with.of("", "PersistentVolumeClaim") {
				if claim.GetNamespace() == podsNamespace {
					claims = append(claims, claim.GetName())
				}
			}
			if !slices.Equal(claims, tc.claims) {
				t.Errorf("claims of the pods %v, want %v", claims, tc.claims)
			}
			for rule := range rules {
				for _, mistake := range mistakes(with, rules[rule]) {
					t.Errorf("%s: %s", rule, mistake)
				}
			}
		})
	}
}

// On this machine the api and pods find the files in one folder of the node.
func TestLocalStorage(t *testing.T) {
	t.Parallel()

	local := render(t, "local")
	checkStorage(t, local)
	volume := local.of("", "PersistentVolume").named("pods-service-storage")
	if volume == nil {
		t.Fatal("there is no volume for the claim")
	}
	folder := decode[corev1.PersistentVolume](volume).Spec.HostPath
	if folder == nil || !hasSettings(local, map[string]string{"PODS_STORAGE_HOST_PATH": folder.Path}) {
		t.Errorf("the api finds its files in %+v, pods elsewhere", folder)
	}
}

// checkStorage checks that the claim of the storage is where the api looks, and
// that all that has to be there first is labelled so.
func checkStorage(t *testing.T, all deployment) {
	t.Helper()
	claim := all.of("", "PersistentVolumeClaim").named("storage")
	if claim == nil {
		t.Fatal("there is no claim for the api")
	}
	for _, object := range slices.Concat(all.of("", "PersistentVolumeClaim"), all.of("", "PersistentVolume")) {
		if labels := object.GetLabels(); labels["pods.io/stage"] != "prepare" || labels["app.kubernetes.io/part-of"] != "pods-service" {
			t.Errorf("%s %s has the labels %v", object.GetKind(), object.GetName(), labels)
		}
	}
	for _, w := range all.workloads() {
		mounted := slices.ContainsFunc(w.template.Spec.Containers[0].VolumeMounts, func(mount corev1.VolumeMount) bool {
			return mount.MountPath == storageFolder && !mount.ReadOnly && slices.ContainsFunc(w.template.Spec.Volumes, func(volume corev1.Volume) bool {
				return volume.Name == mount.Name && volume.PersistentVolumeClaim != nil && volume.PersistentVolumeClaim.ClaimName == "storage"
			})
		})
		if mounted != (w.function == "api") {
			t.Errorf("%s mounts the storage: %v", w.name, mounted)
		}
	}
	if !hasSettings(all, map[string]string{"PODS_STORAGE_PATH": storageFolder}) {
		t.Error("the api is not told where the storage is")
	}
}
