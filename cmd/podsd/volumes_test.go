package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/files"
	"github.com/pods-service/pods/shared/objects"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/templates"
	"github.com/pods-service/pods/shared/volumes"
)

// TestVolumesCommand deletes a volume and brings it back as an operator does.
func TestVolumesCommand(t *testing.T) {
	url, base := podstest.DatabaseURL(t), t.TempDir()
	t.Setenv("DATABASE_URL", url)
	t.Setenv("PODS_STORAGE_PATH", base)
	t.Setenv("PODS_STATE", t.TempDir())
	store := postgres.New(podstest.Open(t, url), postgres.Options{Now: time.Now})
	stored, err := files.Open(base, files.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := objects.New(objects.Options{
		Store: store, Files: stored, Deriver: templates.NewDeriver(nil, nil, nil), Logger: slog.New(slog.DiscardHandler),
	})
	volume, err := o.CreateVolume(t.Context(), volumes.Volume{Base: volumes.Base{
		TenantID: "dev", SiteID: "dev", ID: "data", SizeLimit: 1, AddedBy: "alice", Permissions: permissions.Set{{User: "alice", Level: permissions.Admin}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Remove(t.Context(), volume.Ref(), "alice", func(volumes.Snapshot) error { return nil }); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (string, error) {
		var out bytes.Buffer
		root := command()
		root.SetOut(&out)
		root.SetArgs(args)
		err := root.ExecuteContext(t.Context())
		return out.String(), err
	}
	listed, err := run("volumes", "quarantined")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(listed, "\n")
	entry, _, _ := strings.Cut(line, " ")
	if !strings.Contains(line, "data") || !strings.Contains(line, "alice") {
		t.Fatalf("listed %s", listed)
	}
	if said, err := run("volumes", "restore", entry); err != nil || said != "volume data of tenant dev is there again.\n" {
		t.Errorf("restore %s says %q, %v", entry, said, err)
	}
	if _, err := store.Volume(t.Context(), "dev", "data"); err != nil {
		t.Errorf("after the restore: %v", err)
	}
	if _, err := run("volumes", "restore", entry); err == nil {
		t.Error("restoring it twice succeeds")
	}
}
