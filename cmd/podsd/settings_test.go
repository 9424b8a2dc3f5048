package main

import (
	"strings"
	"testing"

	"github.com/pods-service/pods/shared/storage"
)

func TestSettingsOfStorage(t *testing.T) {
	tests := map[string]struct {
		env    map[string]string
		folder string
		source storage.Source
		fails  string // in the error
	}{
		"Default": {nil, "/state/storage", storage.Source{HostPath: "/state/storage"}, ""},
		"Folder":  {map[string]string{"PODS_STORAGE_PATH": "/srv/pods"}, "/srv/pods", storage.Source{HostPath: "/srv/pods"}, ""},
		"FolderOfNode": {map[string]string{"PODS_STORAGE_PATH": "/mnt/pods", "PODS_STORAGE_HOST_PATH": "/srv/pods"},
			"/mnt/pods", storage.Source{HostPath: "/srv/pods"}, ""},
		"NFS": {map[string]string{"PODS_STORAGE_PATH": "/mnt/pods", "PODS_STORAGE_NFS": "files:/pods"},
			"/mnt/pods", storage.Source{Server: "files", Export: "/pods"}, ""},
		"Two": {map[string]string{"PODS_STORAGE_NFS": "files:/pods", "PODS_STORAGE_CLAIM": "shared"}, "", storage.Source{}, "more than one source"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PODS_STATE", "/state")
			for _, variable := range []string{"PODS_STORAGE_PATH", "PODS_STORAGE_HOST_PATH", "PODS_STORAGE_NFS", "PODS_STORAGE_CLAIM"} {
				t.Setenv(variable, tc.env[variable])
			}
			set, err := readSettings()
			if tc.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tc.fails) || !strings.Contains(err.Error(), "PODS_STORAGE_") {
					t.Errorf("settings: %v, want %q and the variables named", err, tc.fails)
				}
				return
			}
			if err != nil || set.StoragePath != tc.folder || set.storage != tc.source {
				t.Errorf("folder %s, source %+v, %v; want %s, %+v", set.StoragePath, set.storage, err, tc.folder, tc.source)
			}
		})
	}
}
