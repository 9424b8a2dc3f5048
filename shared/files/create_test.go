package files

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pods-service/pods/shared/pods"
)

func TestCreate(t *testing.T) {
	t.Parallel()
	asRoot(t)
	f := newFixture(t, Options{Mode: 0o770 | os.ModeSetgid, UID: 1234, GID: 567})
	f.put(volume, "file", "kept")
	f.must(f.Create(t.Context(), volume))
	if got := f.content(volume, "file"); got != "kept" {
		t.Errorf("the second Create has left %q", got)
	}
	var stat unix.Stat_t
	f.must(unix.Stat(f.at(volume, ""), &stat))
	if stat.Mode&0o7777 != 0o2770 || stat.Uid != 1234 || stat.Gid != 567 {
		t.Errorf("the folder has mode %o, owner %d:%d", stat.Mode, stat.Uid, stat.Gid)
	}
	for path, want := range map[string]os.FileMode{"dev": ownMode, "dev/volumes": ownMode, "dev/.staging": ownMode} {
		if info, err := os.Stat(filepath.Join(f.base, path)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v", path, info.Mode(), err)
		}
	}
	f.wantClean()
}

func TestCreateAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := f.Create(t.Context(), Object{"new", Volumes, "vol1"}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	f.wantClean()
}

func TestCreateWhereSomethingElseIs(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	f.must(os.Symlink(t.TempDir(), f.at(Object{"dev", Volumes, "link"}, "")))
	f.must(os.WriteFile(f.at(Object{"dev", Volumes, "file"}, ""), nil, 0o600))
	for _, id := range []string{"link", "file"} {
		wantKind(t, id, f.Create(t.Context(), Object{"dev", Volumes, id}), pods.KindConflict)
	}
	f.wantClean()
}
