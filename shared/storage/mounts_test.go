package storage_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pods-service/pods/shared/files"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/storage"
	"github.com/pods-service/pods/shared/volumes"
)

// objects are the entries of volumes and snapshots, by "volume <id>" and
// "snapshot <id>", of tenant dev.
type objects map[string]permissions.Set

func (o objects) Volume(_ context.Context, tenantID, id string) (volumes.Volume, error) {
	base, err := o.base(tenantID, volumes.KindVolume, id)
	return volumes.Volume{Base: base}, err
}

func (o objects) Snapshot(_ context.Context, tenantID, id string) (volumes.Snapshot, error) {
	base, err := o.base(tenantID, volumes.KindSnapshot, id)
	return volumes.Snapshot{Base: base}, err
}

func (o objects) base(tenantID string, kind volumes.Kind, id string) (volumes.Base, error) {
	set, found := o[string(kind)+" "+id]
	if !found || tenantID != "dev" {
		return volumes.Base{}, volumes.NotFound(kind, id)
	}
	return volumes.Base{TenantID: tenantID, ID: id, Permissions: set}, nil
}

func TestMountsCheck(t *testing.T) {
	t.Parallel()

	mounts := storage.Mounts{
		Source: storage.Source{HostPath: "/srv/pods"},
		Objects: objects{
			"volume data":   {{User: "alice", Level: permissions.Admin}, {User: "bob", Level: permissions.Read}, {User: "carol", Level: permissions.User}},
			"snapshot copy": {{User: "alice", Level: permissions.Admin}, {User: "bob", Level: permissions.Read}},
		},
	}
	volume := func(by string, readOnly bool) *pods.VolumeMount {
		return &pods.VolumeMount{Type: pods.MountVolume, SourceID: new("data"), ReadOnly: &readOnly, MountedBy: by}
	}
	tests := map[string]struct {
		mount   *pods.VolumeMount
		tenant  string
		starter string
		kind    pods.Kind
		message string
	}{
		"Owner":              {mount: volume("alice", false)},
		"WriterWithUser":     {mount: volume("carol", false)},
		"ReaderWithRead":     {mount: volume("bob", true)},
		"WriterWithRead":     {volume("bob", false), "dev", "alice", pods.KindForbidden, "user 'bob' needs level USER, and has READ"},
		"Stranger":           {volume("dave", true), "dev", "alice", pods.KindInvalid, "no volume 'data' that user 'dave' may use"},
		"TemplateByOwner":    {mount: volume("", false), starter: "alice"},
		"TemplateByStranger": {volume("", true), "dev", "dave", pods.KindInvalid, "user 'dave'"},
		"NobodyKnown":        {volume("", true), "dev", "", pods.KindInvalid, "user ''"},
		"OtherTenant":        {volume("alice", true), "dev2", "alice", pods.KindInvalid, "no volume 'data'"},
		"Gone": {&pods.VolumeMount{Type: pods.MountVolume, SourceID: new("gone"), MountedBy: "alice"}, "dev", "alice",
			pods.KindInvalid, "no volume 'gone'"},
		"SnapshotByReader": {mount: &pods.VolumeMount{Type: pods.MountSnapshot, SourceID: new("copy"), MountedBy: "bob"}},
		"VolumeAsSnapshot": {&pods.VolumeMount{Type: pods.MountSnapshot, SourceID: new("data"), MountedBy: "alice"}, "dev", "alice",
			pods.KindInvalid, "no snapshot 'data'"},
		"Claim": {mount: &pods.VolumeMount{Type: pods.MountPVC, SourceID: new("gone")}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			pod := pods.Pod{TenantID: tc.tenant, Spec: pods.Spec{VolumeMounts: map[string]*pods.VolumeMount{"/data": tc.mount}}}
			if pod.TenantID == "" {
				pod.TenantID = "dev"
			}
			err := mounts.Check(t.Context(), pod, tc.starter)
			if got := pods.KindOf(err); got != tc.kind {
				t.Fatalf("kind %q (%v), want %q", got, err, tc.kind)
			}
			if err != nil && !strings.Contains(err.Error(), tc.message) {
				t.Errorf("the user is told %q, want %q in it", err, tc.message)
			}
		})
	}
}

func TestMountsCheckSubPath(t *testing.T) {
	t.Parallel()

	base := t.TempDir()
	stored, err := files.Open(base, files.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stored.Close() })
	for _, id := range []string{"data", "other"} {
		if err := stored.Create(t.Context(), files.Object{Tenant: "dev", Kind: files.Volumes, ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	root := filepath.Join(base, "dev", "volumes", "data")
	for name, target := range map[string]string{"inside": "folder", "outside": "../other", "host": "/etc"} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "folder"), 0o777); err != nil {
		t.Fatal(err)
	}
	mounts := storage.Mounts{
		Source:  storage.Source{HostPath: base},
		Objects: objects{"volume data": {{User: "alice", Level: permissions.Admin}}},
		Files:   stored,
	}
	tests := map[string]struct {
		subPath  string
		readOnly bool
		want     pods.Kind
	}{
		"Folder":          {"folder", false, ""},
		"FolderToRead":    {"folder", true, ""},
		"Missing":         {"new/folder", false, ""},
		"MissingToRead":   {"new/folder", true, pods.KindInvalid},
		"LinkInside":      {"inside", false, ""},
		"LinkOutside":     {"outside", false, pods.KindInvalid},
		"BelowLink":       {"outside/x", false, pods.KindInvalid},
		"LinkToHost":      {"host", true, pods.KindInvalid},
		"BelowLinkToHost": {"host/ssh", true, pods.KindInvalid},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			pod := pods.Pod{TenantID: "dev", Spec: pods.Spec{VolumeMounts: map[string]*pods.VolumeMount{
				"/data": {Type: pods.MountVolume, SourceID: new("data"), SubPath: tc.subPath, ReadOnly: &tc.readOnly, MountedBy: "alice"},
			}}}
			if err := mounts.Check(t.Context(), pod, ""); pods.KindOf(err) != tc.want {
				t.Errorf("kind %q (%v), want %q", pods.KindOf(err), err, tc.want)
			}
		})
	}
}

func TestSupports(t *testing.T) {
	t.Parallel()

	hostPath, nfs, claim := storage.Source{HostPath: "/srv/pods"}, storage.Source{Server: "files", Export: "/"}, storage.Source{Claim: "shared"}
	whole := pods.Mount{Type: pods.MountVolume, SourceID: "data"}
	part := pods.Mount{Type: pods.MountVolume, SourceID: "data", SubPath: "part"}
	tests := map[string]struct {
		source storage.Source
		mount  pods.Mount
		want   pods.Kind
	}{
		"None":         {storage.Source{}, whole, pods.KindInvalid},
		"NoneSnapshot": {storage.Source{}, pods.Mount{Type: pods.MountSnapshot}, pods.KindInvalid},
		"NoneClaim":    {storage.Source{}, pods.Mount{Type: pods.MountPVC, SubPath: "part"}, ""},
		"HostPath":     {hostPath, part, ""},
		"NFS":          {nfs, part, ""},
		"WholeOfClaim": {claim, whole, ""},
		"PartOfClaim":  {claim, part, pods.KindInvalid},
		"OwnClaim":     {claim, pods.Mount{Type: pods.MountPVC, SubPath: "part"}, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if got := pods.KindOf(tc.source.Supports(tc.mount)); got != tc.want {
				t.Errorf("kind %q, want %q", got, tc.want)
			}
		})
	}
}
