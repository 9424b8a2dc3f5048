package files

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pods-service/pods/shared/pods"
)

func TestRemoveAndRestore(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	f.sample()
	before := tree(t, f.at(volume, ""))
	for range 2 { // the second time there is nothing to do
		f.must(f.Remove(t.Context(), volume))
	}
	_, err := f.Stat(t.Context(), volume, "")
	wantKind(t, "Stat of what is removed", err, pods.KindNotFound)
	removed, err := f.Quarantined(t.Context())
	if err != nil || len(removed) != 1 || removed[0].Object != volume || !removed[0].At.Equal(clock) {
		t.Fatalf("Quarantined = %+v, %v", removed, err)
	}
	// Not old enough for a purge.
	if n, err := f.Purge(t.Context(), clock); n != 0 || err != nil {
		t.Errorf("Purge = %d, %v", n, err)
	}
	f.must(f.Create(t.Context(), volume))
	_, err = f.Restore(t.Context(), removed[0].Entry)
	wantKind(t, "Restore to where something is", err, pods.KindConflict)
	f.must(f.Remove(t.Context(), volume)) // at the same time by the clock
	if all, err := f.Quarantined(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("Quarantined = %+v, %v", all, err)
	}
	if o, err := f.Restore(t.Context(), removed[0].Entry); err != nil || o != volume {
		t.Errorf("Restore = %v, %v", o, err)
	}
	wantTree(t, f.at(volume, ""), before)
	_, err = f.Restore(t.Context(), removed[0].Entry)
	wantKind(t, "Restore of what is not there", err, pods.KindNotFound)
}

func TestRemoveOfNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	for _, o := range []Object{{"dev", Volumes, "none"}, {"dev", Snapshots, "none"}, {"none", Volumes, "none"}} {
		f.must(f.Remove(t.Context(), o))
	}
	if all, err := f.Quarantined(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("Quarantined = %+v, %v", all, err)
	}
}

func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	f.must(f.Remove(t.Context(), volume))
	removed, err := f.Quarantined(t.Context())
	f.must(err)
	name := strings.TrimPrefix(removed[0].Entry, "dev/")
	for entry, want := range map[string]pods.Kind{
		"": pods.KindInvalid, name: pods.KindInvalid, "dev/": pods.KindInvalid, "dev/..": pods.KindInvalid,
		"../" + removed[0].Entry:                            pods.KindInvalid,
		"dev/../dev/.quarantine/" + name:                    pods.KindInvalid,
		"dev/" + strings.Replace(name, ".vol1", ".none", 1): pods.KindNotFound,
		"other/" + name:                                     pods.KindNotFound,
		"dev/" + name + "/..":                               pods.KindInvalid,
	} {
		_, err := f.Restore(t.Context(), entry)
		wantKind(t, entry, err, want)
	}
}

func TestPurge(t *testing.T) {
	t.Parallel()
	now := clock
	f := newFixture(t, Options{Now: func() time.Time { return now }})
	f.sample()
	outside := t.TempDir()
	f.must(os.WriteFile(filepath.Join(outside, "kept"), nil, 0o600))
	f.must(os.Symlink(outside, f.at(volume, "outside")))
	f.must(os.Chmod(f.at(volume, "x/y"), 0))
	f.must(f.Remove(t.Context(), volume))
	now = clock.Add(time.Hour)
	f.must(f.Create(t.Context(), volume))
	f.must(f.Remove(t.Context(), volume))
	// Something that no removal has put there stays.
	f.must(os.Mkdir(filepath.Join(f.base, "dev", quarantineFolder, "lost+found"), 0o700))

	if n, err := f.Purge(t.Context(), now); n != 1 || err != nil {
		t.Errorf("Purge = %d, %v", n, err)
	}
	f.wantClean()
	if all, err := f.Quarantined(t.Context()); err != nil || len(all) != 1 || !all[0].At.Equal(now) {
		t.Errorf("Quarantined = %+v, %v", all, err)
	}
	for _, path := range []string{outside + "/kept", filepath.Join(f.base, "dev", quarantineFolder, "lost+found")} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

// A link or a file in the place of a volume's folder is removed itself.
func TestRemoveOfWhatIsNoFolder(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	outside := t.TempDir()
	f.must(os.WriteFile(filepath.Join(outside, "kept"), nil, 0o600))
	f.must(os.Remove(f.at(volume, "")))
	f.must(os.Symlink(outside, f.at(volume, "")))
	f.must(f.Remove(t.Context(), volume))
	if n, err := f.Purge(t.Context(), clock.Add(1)); n != 1 || err != nil {
		t.Errorf("Purge = %d, %v", n, err)
	}
	f.wantClean()
	if _, err := os.Stat(outside + "/kept"); err != nil {
		t.Error(err)
	}
}

// What cannot be deleted is reported, and the rest goes: here a file that may
// not be changed, and something mounted, in which nothing is touched.
func TestPurgeGoesOn(t *testing.T) {
	t.Parallel()
	asRoot(t)
	f := newFixture(t, Options{})
	for _, path := range []string{"a/b/c", "m/n/o", "x", "z/z"} {
		f.put(volume, path, "content")
	}
	mounted := filepath.Join(f.base, "dev", doomedFolder, "old", "mounted")
	f.must(os.MkdirAll(mounted, 0o700))
	tmpfs(t, mounted, "1m")
	f.must(os.WriteFile(mounted+"/kept", nil, 0o600))
	f.must(f.Remove(t.Context(), volume))
	n, err := f.Purge(t.Context(), clock.Add(1))
	if n != 1 || !errors.Is(err, unix.EBUSY) {
		t.Errorf("Purge = %d, %v, want one and that something is in use", n, err)
	}
	if got := tree(t, filepath.Join(f.base, "dev", doomedFolder)); len(got) != 3 {
		t.Errorf("what is left: %v", got)
	}
	if _, err := os.Stat(mounted + "/kept"); err != nil {
		t.Error(err)
	}
}

func TestPurgeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	f.sample()
	f.must(f.Remove(t.Context(), volume))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Purge(ctx, clock.Add(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("Purge: %v", err)
	}
	if _, err := f.Purge(t.Context(), clock.Add(1)); err != nil {
		t.Error(err)
	}
	f.wantClean()
}

func TestSweep(t *testing.T) {
	t.Parallel()
	now := clock
	f := newFixture(t, Options{Now: func() time.Time { return now }})
	leftover := func(age time.Duration) string {
		stage, err := f.stage("dev")
		f.must(err)
		defer stage.above.close()
		defer stage.close() // as when its process is killed: the lock goes, the folder stays
		for _, path := range []string{"staged/x/y", "names"} {
			f.must(os.MkdirAll(filepath.Join(f.base, "dev", stagingFolder, stage.name, path), 0o700))
		}
		now = now.Add(age)
		return stage.name
	}
	leftover(time.Minute)
	leftover(time.Minute)
	atWork, err := f.stage("dev")
	f.must(err)
	now = now.Add(time.Hour)
	young := leftover(time.Minute)

	if n, err := f.Sweep(t.Context(), now.Add(-30*time.Minute)); n != 2 || err != nil {
		t.Errorf("Sweep = %d, %v", n, err)
	}
	for _, name := range []string{atWork.name, young} {
		if _, err := os.Stat(filepath.Join(f.base, "dev", stagingFolder, name)); err != nil {
			t.Error(err)
		}
	}
	atWork.end()
	if n, err := f.Sweep(t.Context(), now); n != 1 || err != nil {
		t.Errorf("Sweep = %d, %v", n, err)
	}
	f.wantClean()
}
