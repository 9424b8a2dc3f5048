package files

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pods-service/pods/shared/pods"
)

var snapshot = Object{Tenant: "dev", Kind: Snapshots, ID: "snap1"}

// sample puts some of everything into the volume.
func (f fixture) sample() {
	f.t.Helper()
	f.put(volume, "a.txt", "content a")
	f.put(volume, "x/y/z", "content z")
	f.put(volume, "x/script", "#!")
	f.must(os.Chmod(f.at(volume, "x/script"), 0o755|os.ModeSetuid))
	f.must(os.Link(f.at(volume, "a.txt"), f.at(volume, "x/same")))
	f.must(os.Link(f.at(volume, "a.txt"), f.at(volume, "x/y/same")))
	f.must(os.Symlink("/etc", f.at(volume, "x/out")))
	f.must(os.Symlink("../a.txt", f.at(volume, "x/in")))
	f.must(syscall.Mkfifo(f.at(volume, "x/pipe"), 0o666))
	f.must(os.Mkdir(f.at(volume, "empty"), 0o700))
	f.must(os.Chtimes(f.at(volume, "x/script"), clock, clock))
	f.must(os.Chtimes(f.at(volume, "x"), clock, clock))
}

// tree returns what lies at the path without following links: files with their
// content, links with their target, everything else with its type.
func tree(t testing.TB, at string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(at, func(path string, entry os.DirEntry, err error) error {
		if err != nil || path == at {
			return err
		}
		name, _ := filepath.Rel(at, path)
		switch entry.Type() {
		case 0:
			content, err := os.ReadFile(path)
			found[name] = string(content)
			return err
		case os.ModeSymlink:
			link, err := os.Readlink(path)
			found[name] = "-> " + link
			return err
		}
		found[name] = entry.Type().String()[:1]
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func wantTree(t testing.TB, at string, want map[string]string) {
	t.Helper()
	got := tree(t, at)
	for name, content := range want {
		if got[name] != content {
			t.Errorf("%q is %.50q, want %.50q", name, got[name], content)
		}
	}
	for name := range got {
		if _, wanted := want[name]; !wanted {
			t.Errorf("%q should not be there", name)
		}
	}
}

func TestCopyOfAVolume(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	f.sample()
	size, err := f.Copy(t.Context(), volume, "/", snapshot, "", CopyMode{})
	f.must(err)
	wantTree(t, f.at(snapshot, ""), map[string]string{
		"a.txt": "content a", "x": "d", "x/y": "d", "x/y/z": "content z", "x/script": "#!",
		"x/same": "content a", "x/y/same": "content a", "x/out": "-> /etc", "x/in": "-> ../a.txt", "empty": "d",
	})
	if measured, err := f.Measure(t.Context(), snapshot); err != nil || measured != size || size.Files != 5 {
		t.Errorf("Copy says %+v, Measure %+v, %v; want 5 files", size, measured, err)
	}
	var a, same unix.Stat_t
	f.must(unix.Lstat(f.at(snapshot, "a.txt"), &a))
	f.must(unix.Lstat(f.at(snapshot, "x/y/same"), &same))
	if a.Ino != same.Ino || a.Nlink != 3 {
		t.Errorf("the names of one file are inodes %d and %d, with %d names", a.Ino, same.Ino, a.Nlink)
	}
	for path, mode := range map[string]os.FileMode{"": 0o777, "x/script": 0o755, "empty": 0o700} {
		if info, err := os.Stat(f.at(snapshot, path)); err != nil || info.Mode()&(os.ModePerm|os.ModeSetuid) != mode {
			t.Errorf("%q has mode %v, want %v", path, info.Mode(), mode)
		}
	}
	for _, path := range []string{"x", "x/script"} {
		if info, err := os.Stat(f.at(snapshot, path)); err != nil || !info.ModTime().Equal(clock) {
			t.Errorf("%q has time %v, want %v", path, info.ModTime(), clock)
		}
	}
	f.wantClean()
}

func TestCopyPaths(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		from, to string
		want     map[string]string
	}{
		"FolderToRoot":   {"x/y", "", map[string]string{"z": "content z", "same": "content a"}},
		"FolderToFolder": {"x/y", "/in/here/", map[string]string{"in": "d", "in/here": "d", "in/here/z": "content z", "in/here/same": "content a"}},
		"File":           {"/a.txt", "b/c.txt", map[string]string{"b": "d", "b/c.txt": "content a"}},
		"FileByLink":     {"x/in", "c", map[string]string{"c": "content a"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, Options{})
			f.sample()
			_, err := f.Copy(t.Context(), volume, tc.from, snapshot, tc.to, CopyMode{})
			f.must(err)
			wantTree(t, f.at(snapshot, ""), tc.want)
			f.wantClean()
		})
	}
}

func TestCopyRefuses(t *testing.T) {
	t.Parallel()
	none := Object{"dev", Volumes, "none"}
	tests := map[string]struct {
		from     Object
		fromPath string
		to       Object
		toPath   string
		mode     CopyMode
		kind     pods.Kind
		message  string
	}{
		"FileToRoot":     {volume, "a.txt", snapshot, "", CopyMode{}, pods.KindInvalid, "destination_path must be set if source_volume_path is a file"},
		"FileToSlash":    {volume, "a.txt", snapshot, "/", CopyMode{}, pods.KindInvalid, "destination_path must be set"},
		"Special":        {volume, "x/pipe", snapshot, "p", CopyMode{}, pods.KindInvalid, "no regular file"},
		"Missing":        {volume, "none", snapshot, "", CopyMode{}, pods.KindNotFound, "none"},
		"MissingVolume":  {none, "", snapshot, "", CopyMode{}, pods.KindNotFound, "volume none"},
		"SourceLeadsOut": {volume, "x/out", snapshot, "", CopyMode{}, pods.KindInvalid, "leads out"},
		"SourceUp":       {volume, "../vol2", snapshot, "", CopyMode{}, pods.KindInvalid, ".."},
		"DestUp":         {volume, "x/y", snapshot, "../other", CopyMode{}, pods.KindInvalid, ".."},
		"DestBackslash":  {volume, "x/y", snapshot, `a\b`, CopyMode{}, pods.KindInvalid, "backslash"},
		"Taken":          {volume, "x/y", volume, "", CopyMode{}, pods.KindConflict, "already"},
		"OverNothing":    {volume, "x/y", snapshot, "", CopyMode{Over: true}, pods.KindNotFound, "snapshot snap1"},
		"FolderOverFile": {volume, "x/y", volume, "a.txt", CopyMode{Over: true}, pods.KindInvalid, "A file or a link is at"},
		"FileOverFolder": {volume, "a.txt", volume, "x", CopyMode{Over: true}, pods.KindInvalid, "A folder is at"},
		"OverLink":       {volume, "x/y", volume, "x/in", CopyMode{Over: true}, pods.KindInvalid, "A file or a link is at"},
		"ThroughLink":    {volume, "x/y", volume, "x/out/here", CopyMode{Over: true}, pods.KindInvalid, "link"},
		"TooLarge":       {volume, "", snapshot, "", CopyMode{Limit: 4097}, pods.KindTooLarge, "larger"},
		"TooManyFiles":   {volume, "", snapshot, "", CopyMode{}, pods.KindTooLarge, "too many"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := Options{}
			if name == "TooManyFiles" {
				options.CopyEntries = 10
			}
			f := newFixture(t, options)
			f.sample()
			before := tree(t, f.at(volume, ""))
			_, err := f.Copy(t.Context(), tc.from, tc.fromPath, tc.to, tc.toPath, tc.mode)
			wantKind(t, "Copy", err, tc.kind)
			if err != nil && !strings.Contains(err.Error(), tc.message) {
				t.Errorf("error %q is not about %q", err, tc.message)
			}
			wantTree(t, f.at(volume, ""), before)
			if _, err := os.Lstat(f.at(snapshot, "")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the snapshot is there: %v", err)
			}
			f.wantClean()
		})
	}
}

// A restore replaces what the copy has and leaves the rest.
func TestCopyOver(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	other := Object{"dev", Volumes, "vol2"}
	f.sample()
	f.must(f.Create(t.Context(), other))
	f.put(other, "a.txt", "newer")
	f.put(other, "kept", "kept")
	f.put(other, "x/y/kept", "kept")
	f.must(os.Symlink("/etc/passwd", f.at(other, "x/same")))
	opened, err := os.Open(f.at(other, "a.txt"))
	f.must(err)
	defer func() { _ = opened.Close() }()

	_, err = f.Copy(t.Context(), volume, "", other, "", CopyMode{Over: true})
	f.must(err)
	want := tree(t, f.at(volume, ""))
	delete(want, "x/pipe")
	want["kept"], want["x/y/kept"] = "kept", "kept"
	wantTree(t, f.at(other, ""), want)
	old := make([]byte, 10)
	if n, err := opened.Read(old); err != nil || string(old[:n]) != "newer" {
		t.Errorf("the file that was open reads %q, %v: it was not replaced whole", old, err)
	}

	_, err = f.Copy(t.Context(), volume, "x/y", other, "new/place", CopyMode{Over: true})
	f.must(err)
	_, err = f.Copy(t.Context(), volume, "x/y/z", other, "kept", CopyMode{Over: true})
	f.must(err)
	want["new"], want["new/place"], want["new/place/z"], want["new/place/same"] = "d", "d", "content z", "content a"
	want["kept"] = "content z"
	wantTree(t, f.at(other, ""), want)
	f.wantClean()
}

// What cannot be replaced somewhere is found before anything is replaced.
func TestCopyOverAllOrNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	other := Object{"dev", Volumes, "vol2"}
	f.must(f.Create(t.Context(), other))
	for _, name := range []string{"a", "b", "c", "x/a", "x/m", "x/z"} {
		f.put(volume, name, "new")
		f.put(other, name, "old")
	}
	f.must(os.Remove(f.at(other, "x/m")))
	f.must(os.Mkdir(f.at(other, "x/m"), 0o777))
	before := tree(t, f.at(other, ""))
	for _, path := range []string{"", "/"} {
		_, err := f.Copy(t.Context(), volume, "", other, path, CopyMode{Over: true})
		wantKind(t, "Copy", err, pods.KindInvalid)
	}
	_, err := f.Copy(t.Context(), volume, "x", other, "x", CopyMode{Over: true})
	wantKind(t, "Copy of x", err, pods.KindInvalid)
	wantTree(t, f.at(other, ""), before)
	f.wantClean()
}

func TestCopyEndsWithItsContext(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	f.sample()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Copy(ctx, volume, "", snapshot, "", CopyMode{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Copy: %v", err)
	}
	if _, err := os.Lstat(f.at(snapshot, "")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the snapshot is there: %v", err)
	}
	f.wantClean()
}

// A file of a petabyte that is all hole is copied in a moment, and a hole in the
// middle stays one.
func TestCopyKeepsHoles(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	file, err := os.Create(f.at(volume, "holes"))
	f.must(err)
	const size = 10 << 40
	for _, at := range []int64{0, 5 << 40} {
		_, err := file.WriteAt([]byte("data"), at)
		f.must(err)
	}
	f.must(file.Truncate(size))
	f.must(file.Close())
	copied, err := f.Copy(t.Context(), volume, "", snapshot, "", CopyMode{Limit: 1 << 20})
	f.must(err)
	if copied.Bytes > 64<<10 {
		t.Errorf("the copy takes %d bytes", copied.Bytes)
	}
	got, err := os.Open(f.at(snapshot, "holes"))
	f.must(err)
	defer func() { _ = got.Close() }()
	if info, err := got.Stat(); err != nil || info.Size() != size {
		t.Errorf("the copy has %v, %v", info.Size(), err)
	}
	part := make([]byte, 5)
	if _, err := got.ReadAt(part, 5<<40); err != nil || string(part) != "data\x00" {
		t.Errorf("the copy has %q, %v", part, err)
	}
}

func TestCopyByReflink(t *testing.T) {
	t.Parallel()
	base := btrfs(t)
	f := newFixtureIn(t, base, Options{})
	f.write(volume, "large", strings.Repeat("0123456789abcdef", 1<<20)) // 16 MiB of some 45
	f.write(volume, "small", "1")
	for _, id := range []string{"snap1", "snap2", "snap3"} { // together more than there is space for
		_, err := f.Copy(t.Context(), volume, "", Object{"dev", Snapshots, id}, "", CopyMode{Limit: 17 << 20})
		f.must(err)
		wantTree(t, f.at(Object{"dev", Snapshots, id}, ""), tree(t, f.at(volume, "")))
	}
	_, err := f.Copy(t.Context(), volume, "", Object{"dev", Snapshots, "snap4"}, "", CopyMode{Limit: 15 << 20})
	wantKind(t, "Copy past the limit", err, pods.KindTooLarge)
	f.write(volume, "large", "changed")
	if got := f.content(snapshot, "large"); len(got) != 16<<20 {
		t.Errorf("the snapshot has changed with the volume: %d bytes", len(got))
	}
	f.wantClean()
}

// Where there is no reflink, whatever the file system says to it, bytes are
// copied.
func TestCopyWithoutReflink(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"TempDir", "OtherFileSystem"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			from, to := t.TempDir(), t.TempDir()
			if kind == "OtherFileSystem" {
				tmpfs(t, to, "4m")
			}
			const content = "some bytes"
			source := filepath.Join(from, "a")
			if err := os.WriteFile(source, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			in, stat, err := open(t, from).openRegular("a")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = in.Close() }()
			out, err := open(t, to).create("b")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = out.Close() }()
			limit := int64(len(content))
			if err := copyData(t.Context(), out, in, stat.Size, &limit); err != nil || limit != 0 {
				t.Errorf("copyData: %v, %d bytes are left of the limit", err, limit)
			}
			if got, err := os.ReadFile(filepath.Join(to, "b")); err != nil || string(got) != content {
				t.Errorf("the copy has %q, %v", got, err)
			}
		})
	}
	for err, want := range map[error]bool{
		unix.EOPNOTSUPP: true, unix.ENOTTY: true, unix.EXDEV: true, unix.ENOSYS: true,
		unix.EINVAL: false, unix.EPERM: false, unix.ETXTBSY: false,
	} {
		if got := cannotClone(err); got != want {
			t.Errorf("cannotClone(%v) = %v", err, got)
		}
	}
}

func open(t *testing.T, path string) folder {
	t.Helper()
	file, err := os.OpenFile(path, folderFlags, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return folder{file}
}

func TestCopyOfManyNames(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	f.put(volume, "a", strings.Repeat("x", 1<<20))
	for i := range 50 {
		f.must(os.Link(f.at(volume, "a"), f.at(volume, "name"+time.Duration(i).String())))
	}
	size, err := f.Copy(t.Context(), volume, "", snapshot, "", CopyMode{Limit: 2 << 20})
	if err != nil || size.Files != 1 || size.Bytes > 2<<20 {
		t.Errorf("Copy = %+v, %v", size, err)
	}
}
