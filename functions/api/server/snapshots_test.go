package server_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
)

func allowAll(pods.Pod, permissions.Set) error { return nil }

// mountingPod stores a pod of tenant dev that mounts a volume.
func (s *service) mountingPod(id, volume string) pods.Pod {
	s.t.Helper()
	return podstest.Create(s.t, s.store, podstest.ID(id), func(p *pods.Pod) {
		p.VolumeMounts = map[string]*pods.VolumeMount{"/data": {Type: pods.MountVolume, SourceID: &volume}}
	})
}

// measure measures every volume of tenant dev, whether that is due or not.
func (s *service) measure() {
	s.t.Helper()
	_, err := podstest.Pool(s.t, s.store).Exec(s.t.Context(), `UPDATE storage SET measure_due_at = '-infinity' WHERE kind = 'volume'`)
	if err == nil {
		err = s.objects.Measure(s.t.Context())
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestSnapshotThroughTheAPI(t *testing.T) {
	t.Parallel()
	s := newService(t)
	alice, token := s.as("alice"), s.as("alice").Token()
	s.createVolume(alice, "vol", map[string]string{"dir/file": "first", "other": "x"})

	created := s.call("POST", "/v3/pods/snapshots", token,
		`{"snapshot_id":"snap","source_volume_id":"vol","source_volume_path":"/dir","cron":"0 3 * * *","retention_policy":"keep_last=2, keep_daily=7"}`)
	var snapshot client.Snapshot
	if err := json.Unmarshal(created.envelope["result"], &snapshot); err != nil || created.messages()[0] != "Snapshot created successfully." ||
		snapshot.Status != "AVAILABLE" || snapshot.NextDueTS == nil || snapshot.Usage.Files != 1 {
		t.Errorf("created %d %+v, %s, %v", created.status, snapshot, created.envelope["message"], err)
	}
	s.write("vol", "dir/file", "second")
	if _, text := s.get("/v3/pods/snapshots/snap/contents/file", token); text != "first" {
		t.Errorf("the snapshot has %q", text)
	}
	var shown []client.File
	if err := alice.Do(t.Context(), "GET", "/v3/pods/snapshots/snap/list", nil, &shown); err != nil || len(shown) != 1 || shown[0].Path != "/file" {
		t.Errorf("list = %v, %v", shown, err)
	}
	if got := s.call("POST", "/v3/pods/snapshots", token, `{"snapshot_id":"snap","source_volume_id":"vol","source_volume_path":"/"}`); got.status != 409 {
		t.Errorf("a taken id: %d %s", got.status, got.envelope["message"])
	}
	if got := s.call("POST", "/v3/pods/snapshots", token,
		`{"snapshot_id":"one","source_volume_id":"vol","source_volume_path":"/dir/file","destination_path":"/deep/copy"}`); got.status != 200 {
		t.Errorf("of a file: %d %s", got.status, got.envelope["message"])
	}
	if _, text := s.get("/v3/pods/snapshots/one/contents/deep/copy", token); text != "second" {
		t.Errorf("the copy of a file has %q", text)
	}
	same := s.call("PUT", "/v3/pods/snapshots/snap", token, `{"cron":"0 3 * * *"}`)
	if same.status != 200 || string(same.envelope["status"]) != `"error"` ||
		same.messages()[0] != "Incoming data made no changes to snapshot. Is incoming data equal to current data?" {
		t.Errorf("no change = %d %v", same.status, same.envelope)
	}
	off := s.call("PUT", "/v3/pods/snapshots/snap", token, `{"cron":""}`)
	if off.status != 200 || !strings.Contains(string(off.envelope["result"]), `"next_due_ts":null`) {
		t.Errorf("without a schedule = %d %s", off.status, off.envelope["result"])
	}

	restored := s.call("POST", "/v3/pods/snapshots/snap/restore", token, `{"volume_id":"vol","path":"/dir"}`)
	if restored.status != 200 || restored.messages()[0] != "Snapshot restored successfully." {
		t.Errorf("restore = %d %s", restored.status, restored.envelope["message"])
	}
	for path, want := range map[string]string{"dir/file": "first", "other": "x"} {
		if _, text := s.get("/v3/pods/volumes/vol/contents/"+path, token); text != want {
			t.Errorf("after the restore %s is %q, want %q", path, text, want)
		}
	}
	gone := s.call("DELETE", "/v3/pods/snapshots/snap", token, "")
	if gone.status != 200 || gone.messages()[0] != "Snapshot successfully deleted." || string(gone.envelope["result"]) != `""` {
		t.Errorf("delete = %d %v", gone.status, gone.envelope)
	}
	if got := s.call("GET", "/v3/pods/snapshots/snap/list", token, ""); got.status != 404 {
		t.Errorf("after delete: %d %s", got.status, got.envelope["message"])
	}
}

// TestRestoreNeedsBoth: USER on the snapshot and on the volume, and room in it.
func TestRestoreNeedsBoth(t *testing.T) {
	t.Parallel()
	s := newService(t)
	alice, bob := s.as("alice"), s.as("bob")
	s.createVolume(alice, "vol", map[string]string{"file": strings.Repeat("x", 2<<20)})
	s.createVolume(bob, "bobs", nil)
	if err := bob.Do(t.Context(), "POST", "/v3/pods/volumes", map[string]any{"volume_id": "small", "size_limit": 1}, nil); err != nil {
		t.Fatal(err)
	}
	if got := s.call("POST", "/v3/pods/snapshots", alice.Token(), `{"snapshot_id":"snap","source_volume_id":"vol","source_volume_path":"/"}`); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.envelope["message"])
	}
	for _, step := range []struct {
		level, volume string
		status        int
	}{
		{"READ", "bobs", 403}, {"USER", "bobs", 200}, {"USER", "vol", 404}, {"USER", "small", 413},
	} {
		if err := alice.Do(t.Context(), "POST", "/v3/pods/snapshots/snap/permissions", map[string]string{"user": "bob", "level": step.level}, nil); err != nil {
			t.Fatal(err)
		}
		if got := s.call("POST", "/v3/pods/snapshots/snap/restore", bob.Token(), `{"volume_id":"`+step.volume+`"}`); got.status != step.status {
			t.Errorf("with %s into %s = %d %s, want %d", step.level, step.volume, got.status, got.envelope["message"], step.status)
		}
	}
	// A schedule goes on copying a volume that bob may not use.
	if got := s.call("PUT", "/v3/pods/snapshots/snap", bob.Token(), `{"cron":"@daily"}`); got.status != 400 ||
		!strings.Contains(got.messages()[0], "source_volume_id does not exist") {
		t.Errorf("a schedule on another's volume = %d %s", got.status, got.envelope["message"])
	}
}
