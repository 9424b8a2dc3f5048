package storage_test

import (
	"testing"

	"github.com/pods-service/pods/shared/storage"
)

func TestParse(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		hostPath, nfs, claim string
		want                 storage.Source
		fails                bool
	}{
		"None":             {want: storage.Source{}},
		"HostPath":         {hostPath: "/srv/pods", want: storage.Source{HostPath: "/srv/pods"}},
		"NFS":              {nfs: "files.example:/export", want: storage.Source{Server: "files.example", Export: "/export"}},
		"NFSRoot":          {nfs: "10.0.0.7:/", want: storage.Source{Server: "10.0.0.7", Export: "/"}},
		"NFSVersion6":      {nfs: "[fd00::1]:/export", want: storage.Source{Server: "fd00::1", Export: "/export"}},
		"Claim":            {claim: "shared", want: storage.Source{Claim: "shared"}},
		"Two":              {hostPath: "/srv/pods", claim: "shared", fails: true},
		"RelativeHostPath": {hostPath: "srv/pods", fails: true},
		"WholeHost":        {hostPath: "//", fails: true},
		"HostPathOut":      {hostPath: "/srv/../etc", fails: true},
		"NFSWithoutPath":   {nfs: "files.example", fails: true},
		"NFSWithoutServer": {nfs: ":/export", fails: true},
		"NFSRelative":      {nfs: "files.example:export", fails: true},
		"NFSOut":           {nfs: "files.example:/export/../x", fails: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got, err := storage.Parse(tc.hostPath, tc.nfs, tc.claim)
			if (err != nil) != tc.fails {
				t.Fatalf("Parse: %v", err)
			}
			if err == nil && got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}
