package objects_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/files"
	"github.com/pods-service/pods/shared/objects"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/podstest"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/templates"
	"github.com/pods-service/pods/shared/volumes"
)

// unmerged leaves pods as they are.
type unmerged struct{}

func (unmerged) Derive(_ context.Context, pod pods.Pod) (templates.Derived, error) {
	return templates.Derived{Pod: pod}, nil
}

// site has objects on a real database and a real file system.
type site struct {
	*testing.T
	*objects.Objects
	store *postgres.Store
	files *files.Store
	base  string
	clock *podstest.Clock
}

const grace = 24 * time.Hour

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{T: t, clock: podstest.NewClock(), base: t.TempDir()}
	s.store = podstest.Store(t, podstest.WithClock(s.clock))
	var err error
	if s.files, err = files.Open(s.base, files.Options{Now: s.clock.Now}); err != nil {
		t.Fatal(err)
	}
	s.Objects = objects.New(objects.Options{
		Store: s.store, Files: s.files, Deriver: unmerged{}, Grace: grace, Now: s.clock.Now, Logger: slog.New(slog.DiscardHandler),
	})
	return s
}

func base(id string) volumes.Base {
	return volumes.Base{
		TenantID: "dev", SiteID: "site", ID: id, SizeLimit: 100, AddedBy: "alice",
		Permissions: permissions.Set{{User: "alice", Level: permissions.Admin}},
	}
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *site) wantKind(what string, err error, want pods.Kind) {
	s.Helper()
	if got := pods.KindOf(err); got != want {
		s.Errorf("%s: kind %q (%v), want %q", what, got, err, want)
	}
}

func (s *site) volume(id, text string) volumes.Volume {
	s.Helper()
	volume, err := s.CreateVolume(s.Context(), volumes.Volume{Base: base(id)})
	s.must(err)
	s.write(volume.Ref(), text)
	return volume
}

func (s *site) write(ref volumes.Ref, text string) {
	s.Helper()
	_, err := s.files.Write(s.Context(), objects.FilesOf(ref), "file", strings.NewReader(text), -1)
	s.must(err)
}

func (s *site) read(ref volumes.Ref) string {
	s.Helper()
	data, err := os.ReadFile(filepath.Join(s.base, objects.FilesOf(ref).SubPath(), "file"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.Fatal(err)
	}
	return string(data)
}

func (s *site) snapshot(id, cron, policy string) volumes.Snapshot {
	return volumes.Snapshot{Base: base(id), SourceVolumeID: "vol", SourceVolumePath: "/", Cron: cron, RetentionPolicy: policy}
}

func (s *site) remove(ref volumes.Ref) error {
	return s.Remove(s.Context(), ref, "alice", func(volumes.Snapshot) error { return nil })
}

const lease = 30 * time.Second

// TestRestore deletes a volume twice, which are two, and brings the first back.
func TestRestore(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	volume := s.volume("vol", "first")
	s.must(s.remove(volume.Ref()))
	s.clock.Advance(time.Second)
	s.volume("vol", "second")
	s.must(s.remove(volume.Ref()))
	removed, err := s.store.Removed(t.Context())
	if err != nil || len(removed) != 2 {
		t.Fatalf("removed %v, %v", removed, err)
	}
	first := removed[1]
	if ref, err := s.Restore(t.Context(), first.Entry); err != nil || ref != volume.Ref() || s.read(ref) != "first" {
		t.Errorf("restored %v with %q, %v", ref, s.read(ref), err)
	}
	if _, err := s.store.Volume(t.Context(), "dev", "vol"); err != nil {
		t.Errorf("the restored volume: %v", err)
	}
	_, err = s.Restore(t.Context(), removed[0].Entry)
	s.wantKind("restore over another", err, pods.KindConflict)
	_, err = s.Restore(t.Context(), "dev/nothing")
	s.wantKind("restore of nothing", err, pods.KindNotFound)

	s.clock.Advance(grace + time.Second)
	s.must(s.CleanUp(t.Context()))
	if left, err := s.store.Removed(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("after the grace period %v is left, %v", left, err)
	}
	if left, err := s.files.Quarantined(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("after the grace period the files of %v are left, %v", left, err)
	}
	if s.read(volume.Ref()) != "first" {
		t.Error("the restored volume went with the others")
	}
}

// TestFilesWithoutARow are nobody's: they stay, and no new volume gets them.
func TestFilesWithoutARow(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	lost := volumes.Ref{TenantID: "dev", Kind: volumes.KindVolume, ID: "lost"}
	s.must(s.files.Create(t.Context(), objects.FilesOf(lost)))
	s.write(lost, "secret")
	_, err := s.CreateVolume(t.Context(), volumes.Volume{Base: base("lost")})
	s.wantKind("a volume over files of another", err, pods.KindConflict)
	s.clock.Advance(100 * grace)
	s.must(s.CleanUp(t.Context()))
	s.must(s.Measure(t.Context()))
	if s.read(lost) != "secret" {
		t.Error("files without a row are gone")
	}
	if _, err := s.store.Volume(t.Context(), "dev", "lost"); pods.KindOf(err) != pods.KindNotFound {
		t.Errorf("the row of the attempt: %v", err)
	}
}

// TestKilled leaves work as a process does that is killed at each step, and
// finishes it after a restart.
func TestKilled(t *testing.T) {
	t.Parallel()
	killed := func(ref volumes.Ref) postgres.Work { return postgres.Work{Ref: ref, Worker: "killed"} }
	tests := map[string]struct {
		leave func(*site) volumes.Ref
		want  string // what the object holds; "-" when it is gone
	}{
		"VolumeWithoutFolder": {func(s *site) volumes.Ref {
			work, err := s.store.CreateVolume(s.Context(), volumes.Volume{Base: base("new")}, "killed", lease)
			s.must(err)
			return work.Ref
		}, ""},
		"VolumeWithFolder": {func(s *site) volumes.Ref {
			work, err := s.store.CreateVolume(s.Context(), volumes.Volume{Base: base("new")}, "killed", lease)
			s.must(err)
			s.must(s.files.Create(s.Context(), objects.FilesOf(work.Ref)))
			return work.Ref
		}, ""},
		"SnapshotBeforeItsFiles": {func(s *site) volumes.Ref {
			work, err := s.store.CreateSnapshot(s.Context(), s.snapshot("new", "", ""), "killed", lease)
			s.must(err)
			return work.Ref
		}, "-"},
		"SnapshotWithItsFiles": {func(s *site) volumes.Ref {
			work, err := s.store.CreateSnapshot(s.Context(), s.snapshot("new", "", ""), "killed", lease)
			s.must(err)
			source := objects.FilesOf(volumes.Ref{TenantID: "dev", Kind: volumes.KindVolume, ID: "vol"})
			_, err = s.files.Copy(s.Context(), source, "", objects.FilesOf(work.Ref), "", files.CopyMode{})
			s.must(err)
			return work.Ref
		}, "text"},
		"CopyOfASchedule": {func(s *site) volumes.Ref {
			taken := s.snapshot("new", "@daily", "").Copy(s.clock.Now())
			work, err := s.store.CreateSnapshot(s.Context(), taken, "killed", lease)
			s.must(err)
			return work.Ref
		}, "text"},
		"DeleteBeforeItsFiles": {func(s *site) volumes.Ref {
			ref := s.volume("old", "text").Ref()
			s.must(s.store.BeginRemoval(s.Context(), killed(ref), lease, postgres.Removal{By: "alice", Keep: grace}, allow))
			return ref
		}, "-"},
		"DeleteAfterItsFiles": {func(s *site) volumes.Ref {
			ref := s.volume("old", "text").Ref()
			s.must(s.store.BeginRemoval(s.Context(), killed(ref), lease, postgres.Removal{By: "alice", Keep: grace}, allow))
			s.must(s.files.Remove(s.Context(), objects.FilesOf(ref)))
			return ref
		}, "-"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := newSite(t)
			s.volume("vol", "text")
			ref := tc.leave(s)
			s.must(s.Finish(t.Context()))
			if _, err := s.load(ref); pods.KindOf(err) != pods.KindNotFound {
				t.Errorf("it is there while somebody may be at work on it: %v", err)
			}
			s.clock.Advance(lease)
			s.must(s.Finish(t.Context()))
			_, err := s.load(ref)
			if isGone := pods.KindOf(err) == pods.KindNotFound; isGone != (tc.want == "-") {
				t.Errorf("it is gone: %v, want %q (%v)", isGone, tc.want, err)
			}
			if got := s.read(ref); got != strings.TrimSuffix(tc.want, "-") {
				t.Errorf("it holds %q, want %q", got, tc.want)
			}
			if strings.HasPrefix(name, "Delete") {
				removed, err := s.store.Removed(t.Context())
				if err != nil || len(removed) != 1 || removed[0].By != "alice" {
					t.Fatalf("removed %v, %v", removed, err)
				}
				if _, err := s.Restore(t.Context(), removed[0].Entry); err != nil || s.read(ref) != "text" {
					t.Errorf("restored with %q, %v", s.read(ref), err)
				}
			}
		})
	}
}

func allow(context.Context, volumes.Snapshot) error { return nil }

func (s *site) load(ref volumes.Ref) (volumes.Base, error) {
	if ref.Kind == volumes.KindVolume {
		volume, err := s.store.Volume(s.Context(), ref.TenantID, ref.ID)
		return volume.Base, err
	}
	snapshot, err := s.store.Snapshot(s.Context(), ref.TenantID, ref.ID)
	return snapshot.Base, err
}

// due has every schedule that is due asked for, and returns what was asked.
func (s *site) due() []events.SnapshotDue {
	s.Helper()
	_, err := s.store.ScheduleDueSnapshots(s.Context(), 10)
	s.must(err)
	unsent, err := s.store.UnsentEvents(s.Context(), 0, 100)
	s.must(err)
	var asked []events.SnapshotDue
	for _, event := range unsent {
		if event.Type() != events.TypeSnapshotDue {
			continue
		}
		var data events.SnapshotDue
		s.must(event.DataAs(&data))
		s.must(s.store.MarkSent(s.Context(), []string{event.ID()}))
		asked = append(asked, data)
	}
	return asked
}

// TestSchedule makes copies for some days, each event twice, and keeps those that
// the policy says.
func TestSchedule(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	volume := s.volume("vol", "day 0")
	schedule, err := s.CreateSnapshot(t.Context(), s.snapshot("daily", "0 12 * * *", "keep_last=2"))
	s.must(err)
	var ids []string
	for day := 1; day <= 4; day++ {
		s.write(volume.Ref(), "day "+string(rune('0'+day)))
		s.clock.Advance(24 * time.Hour)
		asked := s.due()
		if len(asked) != 1 || asked[0].SnapshotID != "daily" {
			t.Fatalf("day %d: asked for %v", day, asked)
		}
		for range 2 {
			s.must(s.CopyDue(t.Context(), asked[0]))
		}
		ids = append(ids, "daily"+asked[0].DueAt.Format("20060102150405"))
	}
	copies, err := s.store.Copies(t.Context(), "dev", "daily")
	s.must(err)
	var left []string
	for _, taken := range copies {
		left = append(left, taken.ID)
	}
	if want := []string{ids[3], ids[2]}; !slices.Equal(left, want) {
		t.Errorf("the copies are %v, want %v", left, want)
	}
	if got := s.read(copies[0].Ref()); got != "day 4" {
		t.Errorf("the newest holds %q", got)
	}
	if got := s.read(schedule.Ref()); got != "day 0" {
		t.Errorf("the schedule itself holds %q", got)
	}

	// The owner may not use the volume any more.
	_, err = s.store.ChangeVolume(t.Context(), "dev", "vol", func(v volumes.Volume) (volumes.Volume, error) {
		v.Permissions = permissions.Set{{User: "bob", Level: permissions.Admin}}
		return v, nil
	})
	s.must(err)
	s.clock.Advance(24 * time.Hour)
	asked := s.due()
	s.must(s.CopyDue(t.Context(), asked[0]))
	now, err := s.store.Snapshot(t.Context(), "dev", "daily")
	if err != nil || !strings.Contains(now.LastError, "does not have permission to use source_volume_id") {
		t.Errorf("the schedule says %q, %v", now.LastError, err)
	}
	s.clock.Advance(24 * time.Hour)
	s.due()
	s.wantKind("an event that is too late", s.CopyDue(t.Context(), asked[0]), pods.KindConflict)
	s.must(s.remove(schedule.Ref()))
	s.wantKind("an event of a schedule that is gone", s.CopyDue(t.Context(), asked[0]), pods.KindNotFound)
}

// TestRetentionSparesMounts: what a pod mounts stays until it does not any more.
func TestRetentionSparesMounts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.volume("vol", "text")
	_, err := s.CreateSnapshot(t.Context(), s.snapshot("daily", "0 12 * * *", "keep_last=1"))
	s.must(err)
	mounted := ""
	for range 2 {
		s.clock.Advance(24 * time.Hour)
		asked := s.due()
		if mounted == "" {
			mounted = "daily" + asked[0].DueAt.Format("20060102150405")
			podstest.Create(t, s.store, podstest.ID("reader"), func(p *pods.Pod) {
				p.VolumeMounts = map[string]*pods.VolumeMount{mounted: {Type: pods.MountSnapshot}}
			})
		}
		s.must(s.CopyDue(t.Context(), asked[0]))
	}
	if _, err := s.store.Snapshot(t.Context(), "dev", mounted); err != nil {
		t.Errorf("the mounted copy: %v", err)
	}
}

func TestMeasure(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	volume := s.volume("vol", strings.Repeat("x", 3<<20))
	s.must(s.Measure(t.Context()))
	if now, err := s.store.Volume(t.Context(), "dev", "vol"); err != nil || now.Usage.Bytes != 0 {
		t.Errorf("measured before it was due: %+v, %v", now.Usage, err)
	}
	s.clock.Advance(10 * time.Minute)
	s.must(s.Measure(t.Context()))
	now, err := s.store.Volume(t.Context(), "dev", "vol")
	if err != nil || now.Usage.Files != 1 || now.Usage.MB() < 3 || now.Usage.MB() > 4 || !now.UpdateTS.Equal(volume.UpdateTS) {
		t.Errorf("measured %+v, %v", now.Usage, err)
	}
}
