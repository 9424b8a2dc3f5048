package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pods-service/pods/shared/pods"
)

// canary is in every file outside of the volume, and in nothing that an
// operation on the volume may give or change.
const canary = "CANARY"

// outside is what lies around a volume and must neither be seen nor touched: a
// folder elsewhere, and a sibling and another tenant's volume with the same
// names in them.
type outside struct {
	f       fixture
	folder  string
	sibling Object // whose id begins with the volume's
	foreign Object
	before  map[string]string
}

func newOutside(f fixture, folder string) outside {
	f.t.Helper()
	o := outside{f: f, folder: folder, sibling: Object{"dev", Volumes, "vol10"}, foreign: Object{"other", Volumes, "vol1"}}
	for _, object := range []Object{o.sibling, o.foreign} {
		f.must(f.Create(f.t.Context(), object))
		f.put(object, "secret", canary)
		f.put(object, "sub/secret", strings.Repeat(canary, 1<<19))
	}
	f.must(os.MkdirAll(filepath.Join(o.folder, "sub"), 0o777))
	for _, name := range []string{"secret", "sub/secret"} {
		f.must(os.WriteFile(filepath.Join(o.folder, name), []byte(strings.Repeat(canary, 1<<19)), 0o666))
	}
	o.before = o.now()
	return o
}

// now describes all that is outside, by the times at which names, contents and
// everything else have changed; nobody can set those.
func (o outside) now() map[string]string {
	o.f.t.Helper()
	found := map[string]string{}
	for _, root := range []string{o.folder, o.f.at(o.sibling, ""), o.f.at(o.foreign, "")} {
		err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
			var stat unix.Stat_t
			if err == nil {
				err = unix.Lstat(path, &stat)
			}
			found[path] = fmt.Sprint(stat.Ino, stat.Mode, stat.Nlink, stat.Size, stat.Ctim)
			return err
		})
		if err != nil {
			o.f.t.Error(err)
		}
	}
	return found
}

func (o outside) wantUntouched() {
	o.f.t.Helper()
	now := o.now()
	for path, content := range o.before {
		if now[path] != content {
			o.f.t.Errorf("%s has been changed", path)
		}
		delete(now, path)
	}
	for path := range now {
		o.f.t.Errorf("%s has been made", path)
	}
}

// operations are all that users can do with a volume, each returning what it
// shows of it.
func operations(f fixture, o Object) map[string]func(ctx context.Context, path string) (string, error) {
	list := func(ctx context.Context, path string, recursive bool) (string, error) {
		var shown []string
		err := f.List(ctx, o, path, recursive, func(file File) error {
			if file.Name == "secret" && file.Type == TypeFile && file.Size >= int64(len(canary)) {
				shown = append(shown, canary)
			}
			shown = append(shown, file.Path)
			return nil
		})
		return strings.Join(shown, "\n"), err
	}
	ids := 0
	copied := func(ctx context.Context, from, to string, mode CopyMode) (string, error) {
		ids++
		into := Object{"dev", Snapshots, "copy" + time.Duration(ids).String()}
		if mode.Over {
			into = o
		}
		size, err := f.Copy(ctx, o, from, into, to, mode)
		if err != nil || mode.Over {
			return "", err
		}
		if size.Bytes > 1<<20 {
			return canary, nil
		}
		shown := ""
		for name, content := range tree(f.t, f.at(into, "")) {
			if !strings.HasPrefix(content, "-> ") {
				shown += name + content
			}
		}
		return shown, f.Remove(ctx, into)
	}
	return map[string]func(ctx context.Context, path string) (string, error){
		"List":    func(ctx context.Context, path string) (string, error) { return list(ctx, path, false) },
		"ListAll": func(ctx context.Context, path string) (string, error) { return list(ctx, path, true) },
		"Stat": func(ctx context.Context, path string) (string, error) {
			file, err := f.Stat(ctx, o, path)
			if file.Size >= int64(len(canary)) {
				return canary, err
			}
			return file.Path, err
		},
		"Read": func(ctx context.Context, path string) (string, error) {
			file, _, err := f.Read(ctx, o, path)
			if err != nil {
				return "", err
			}
			defer func() { _ = file.Close() }()
			content, err := io.ReadAll(io.LimitReader(file, 1000))
			return string(content), err
		},
		"Zip": func(ctx context.Context, path string) (string, error) {
			var out bytes.Buffer
			if err := f.Zip(ctx, o, path, &out); err != nil {
				return "", err
			}
			shown := ""
			for name, content := range unzip(f.t, out.Bytes()) {
				shown += name + content
			}
			return shown, nil
		},
		"Write": func(ctx context.Context, path string) (string, error) {
			_, err := f.Write(ctx, o, path, strings.NewReader("w"), -1)
			return "", err
		},
		"WriteBelow": func(ctx context.Context, path string) (string, error) {
			_, err := f.Write(ctx, o, path+"/new/file", strings.NewReader("w"), -1)
			return "", err
		},
		"Snapshot": func(ctx context.Context, path string) (string, error) { return copied(ctx, path, "", CopyMode{}) },
		"SnapshotFile": func(ctx context.Context, path string) (string, error) {
			return copied(ctx, path, "a/b", CopyMode{})
		},
		"RestoreTo": func(ctx context.Context, path string) (string, error) {
			return copied(ctx, "own", path, CopyMode{Over: true})
		},
		"RestoreFileTo": func(ctx context.Context, path string) (string, error) {
			return copied(ctx, "own/secret", path, CopyMode{Over: true})
		},
		"RestoreAll": func(ctx context.Context, path string) (string, error) {
			return copied(ctx, path, "", CopyMode{Over: true})
		},
		"Measure": func(ctx context.Context, _ string) (string, error) {
			size, err := f.Measure(ctx, o)
			if size.Bytes > 1<<20 {
				return canary, err
			}
			return "", err
		},
		"Create": func(ctx context.Context, _ string) (string, error) { return "", f.Create(ctx, o) },
	}
}

// tricks are what a container, or a careless operator, can leave in a volume.
var tricks = map[string]struct {
	make  func(f fixture, o outside)
	paths []string
}{
	"LinkAtRoot": {func(f fixture, o outside) { f.link(o.folder, "trick") },
		[]string{"trick", "trick/", "trick/secret", "trick/sub", "trick/sub/secret", "trick/../trick/secret"}},
	"LinkToEtc": {func(f fixture, _ outside) { f.link("/etc", "trick") }, []string{"trick", "trick/passwd"}},
	"LinkToFile": {func(f fixture, o outside) { f.link(o.folder+"/secret", "trick") },
		[]string{"trick"}},
	"LinkInSubFolder": {func(f fixture, o outside) { f.link(o.folder, "own/deep/trick") },
		[]string{"own/deep/trick", "own/deep/trick/secret", "own/deep/trick/sub/secret"}},
	"RelativeLink": {func(f fixture, _ outside) { f.link("../vol10", "trick") },
		[]string{"trick", "trick/secret", "trick/sub"}},
	"RelativeLinkToTenant": {func(f fixture, _ outside) { f.link("../../../other/volumes/vol1", "trick") },
		[]string{"trick", "trick/secret"}},
	"ChainedLinks": {func(f fixture, o outside) {
		f.link("b", "a")
		f.link("own/c", "b")
		f.link("../d", "own/c")
		f.link(o.folder, "d")
	}, []string{"a", "b", "own/c", "d", "a/secret", "own/c/secret", "a/sub/secret"}},
	"ChainUpAndBack": {func(f fixture, _ outside) {
		f.link("own/deep", "down")
		f.link("down/../../../vol10/secret", "trick")
		f.link("down/../..", "trick2")
	}, []string{"trick", "trick2", "trick2/secret", "trick2/vol10/secret"}},
	"LinkToItself": {func(f fixture, _ outside) { f.link("trick", "trick") }, []string{"trick", "trick/x"}},
	"LinkToProc": {func(f fixture, _ outside) {
		f.link("/proc/self/root/etc/passwd", "trick")
		f.link("/proc/self/cwd", "trick2")
		f.link("/dev/fd", "trick3")
	}, []string{"trick", "trick2", "trick2/files.go", "trick3", "trick3/0"}},
	"LinkWithBackslash": {func(f fixture, _ outside) { f.link(`..\vol10`, "trick") }, []string{"trick", "trick/secret"}},
	"Paths": {func(fixture, outside) {}, []string{
		"..", "../vol10", "../vol10/secret", "own/../../vol10/secret", "/../../other/volumes/vol1/secret",
		"../../../../../../../../etc/passwd", "/etc/passwd", `..\vol10\secret`, "%2e%2e/vol10/secret", "..%2fvol10/secret",
		"..;/vol10/secret", "....//vol10/secret", ".", "own/./../..", "own/secret/../../../vol10/secret", "..\x00/vol10", "../vol10\x00",
		"\u2025/vol10", "../.quarantine", "../../.staging", "\xc0\xae\xc0\xae/vol10/secret",
		strings.Repeat("a/", 200) + strings.Repeat("../", 201) + "vol10/secret", strings.Repeat("../", 1300) + "etc/passwd",
		"/proc/self/root", "0/secret", "vol10/secret",
	}},
	"ObjectIsLink": {func(f fixture, o outside) {
		f.must(os.RemoveAll(f.at(volume, "")))
		f.must(os.Symlink(o.folder, f.at(volume, "")))
	}, []string{"", "secret", "sub", "sub/secret"}},
	"ObjectIsLinkToSibling": {func(f fixture, _ outside) {
		f.must(os.RemoveAll(f.at(volume, "")))
		f.must(os.Symlink("vol10", f.at(volume, "")))
	}, []string{"", "secret", "sub", "sub/secret"}},
	"ObjectIsLinkToTenant": {func(f fixture, o outside) {
		f.must(os.RemoveAll(f.at(volume, "")))
		f.must(os.Symlink("../../other/volumes/vol1", f.at(volume, "")))
	}, []string{"", "secret", "sub", "sub/secret"}},
	"ObjectIsFile": {func(f fixture, _ outside) {
		f.must(os.RemoveAll(f.at(volume, "")))
		f.must(os.WriteFile(f.at(volume, ""), []byte(canary), 0o600))
	}, []string{"", "secret"}},
	"KindIsLink": {func(f fixture, _ outside) {
		parent := filepath.Dir(f.at(volume, ""))
		f.must(os.Rename(parent, parent+".moved"))
		f.must(os.Symlink("../other/volumes", parent))
	}, []string{"", "secret", "sub/secret"}},
	"TenantIsLink": {func(f fixture, _ outside) {
		tenant := filepath.Join(f.base, "dev")
		f.must(os.Rename(tenant, tenant+".moved"))
		f.must(os.Symlink("other", tenant))
	}, []string{"", "secret", "sub/secret"}},
	"StagingIsLink": {func(f fixture, o outside) {
		f.must(os.RemoveAll(filepath.Join(f.base, "dev", stagingFolder)))
		f.must(os.Symlink(o.folder, filepath.Join(f.base, "dev", stagingFolder)))
	}, []string{"new"}},
	"Pipe": {func(f fixture, _ outside) { f.must(syscall.Mkfifo(f.at(volume, "trick"), 0o666)) },
		[]string{"trick", "trick/x"}},
	"Socket": {func(f fixture, _ outside) { f.must(unix.Mknod(f.at(volume, "trick"), unix.S_IFSOCK|0o666, 0)) },
		[]string{"trick"}},
	"Devices": {func(f fixture, _ outside) {
		for name, device := range map[string]int{"zero": 5, "random": 8, "full": 7, "mem": 1, "none": 200} {
			f.must(unix.Mknod(f.at(volume, name), unix.S_IFCHR|0o666, int(unix.Mkdev(1, uint32(device)))))
		}
		f.must(unix.Mknod(f.at(volume, "disk"), unix.S_IFBLK|0o666, int(unix.Mkdev(254, 0))))
		f.must(unix.Mknod(f.at(volume, "tty"), unix.S_IFCHR|0o666, int(unix.Mkdev(5, 0))))
		f.link("zero", "trick")
	}, []string{"zero", "random", "full", "mem", "none", "disk", "tty", "trick", "zero/x"}},
	"LeasedFile": {func(f fixture, _ outside) {
		file, err := os.OpenFile(f.at(volume, "trick"), os.O_RDWR|os.O_CREATE, 0o666)
		f.must(err)
		f.t.Cleanup(func() { _ = file.Close() })
		_, err = unix.FcntlInt(file.Fd(), unix.F_SETLEASE, unix.F_WRLCK)
		f.must(err)
	}, []string{"trick"}},
}

// link makes a link as a container does.
func (f fixture) link(target, path string) {
	f.t.Helper()
	f.must(os.MkdirAll(filepath.Dir(f.at(volume, path)), 0o777))
	f.must(os.Symlink(target, f.at(volume, path)))
}

// patience bounds every wait for something that must happen.
const patience = time.Minute

// Whatever lies in a volume, no operation at any path gives, changes or makes
// anything outside of it, and none hangs.
func TestContainment(t *testing.T) {
	t.Parallel()
	asRoot(t)
	for name, trick := range tricks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			memory := t.TempDir()
			tmpfs(t, memory, "64m") // thousands of operations, each brought to the disk
			f := newFixtureIn(t, memory+"/base", Options{})
			o := newOutside(f, memory+"/elsewhere")
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			for operation, do := range operations(f, volume) {
				for _, path := range append(trick.paths, "", "own") {
					f.prepare(trick.make, o)
					shown, err := do(ctx, path)
					if strings.Contains(shown, canary) || strings.Contains(shown, "root:x:0:0") {
						t.Errorf("%s(%q) shows what is outside: %.80q", operation, path, shown)
					}
					if pods.KindOf(err) == pods.KindInternal && name != "StagingIsLink" {
						t.Errorf("%s(%q): %v", operation, path, err)
					}
					f.undo()
				}
				o.wantUntouched()
			}
			f.prepare(trick.make, o)
			if err := f.Remove(ctx, volume); err != nil && !strings.HasSuffix(name, "IsLink") {
				t.Error(err)
			}
			if _, err := f.Purge(ctx, clock.Add(1)); err != nil {
				t.Error(err)
			}
			f.undo()
			o.wantUntouched()
		})
	}
}

// prepare makes the volume anew, with something of its own and the trick in it.
func (f fixture) prepare(trick func(fixture, outside), o outside) {
	f.t.Helper()
	f.must(os.RemoveAll(f.at(volume, "")))
	f.must(os.Mkdir(f.at(volume, ""), 0o777))
	f.put(volume, "own/secret", "own")
	f.put(volume, "own/deep/file", "own")
	trick(f, o)
}

// undo brings back what a trick has moved away above the volume.
func (f fixture) undo() {
	f.t.Helper()
	for _, path := range []string{"dev", "dev/volumes"} {
		path = filepath.Join(f.base, path)
		if err := os.Remove(path); err == nil || errors.Is(err, fs.ErrNotExist) {
			f.must(os.Rename(path+".moved", path))
		}
	}
	staging := filepath.Join(f.base, "dev", stagingFolder)
	if info, err := os.Lstat(staging); err == nil && info.Mode().Type() == os.ModeSymlink {
		f.must(os.Remove(staging))
	}
}

// Links that stay inside are followed where a path names them, however they
// wind, and nowhere else.
func TestLinksInside(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	f.put(volume, "a/b/file", "content")
	f.put(volume, "file", "at the root")
	f.link("a", "folder")
	f.link("folder/b/file", "chain")
	f.link("./folder/../folder/b/../b/file", "winding")
	f.link("b/../../file", "a/up") // from a/, by way of what is a link below
	f.link("a/b", "jump")
	f.link("jump/../up", "physical") // jump/.. is a, not the root
	f.link("none", "dangling")
	for path, want := range map[string]string{
		"folder/b/file": "content", "chain": "content", "winding": "content", "a/up": "at the root",
		"jump/file": "content", "physical": "at the root", "folder/up": "at the root",
	} {
		if got, err := f.read(volume, path); got != want || err != nil {
			t.Errorf("Read(%q) = %q, %v, want %q", path, got, err, want)
		}
		if file, err := f.Stat(t.Context(), volume, path); err != nil || file.Path != path || file.Type != TypeFile {
			t.Errorf("Stat(%q) = %+v, %v", path, file, err)
		}
	}
	_, err := f.read(volume, "dangling")
	wantKind(t, "dangling", err, pods.KindNotFound)
}

// The kinds of refusals that users see.
func TestRefusals(t *testing.T) {
	t.Parallel()
	asRoot(t)
	f := newFixture(t, Options{})
	f.link("/etc", "out")
	f.link("up/..", "loop")
	f.link("loop", "up")
	f.must(syscall.Mkfifo(f.at(volume, "pipe"), 0o666))
	tests := map[string]struct {
		path    string
		kind    pods.Kind
		message string
	}{
		"Out":       {"out/passwd", pods.KindInvalid, "leads out"},
		"OutItself": {"out", pods.KindInvalid, "leads out"},
		"Up":        {"../x", pods.KindInvalid, ".."},
		"Loop":      {"loop/x", pods.KindInvalid, "too many links"},
		"Pipe":      {"pipe", pods.KindInvalid, "no regular file"},
		"Root":      {"", pods.KindInvalid, "Requesting no path or / path is not allowed"},
		"Missing":   {"none", pods.KindNotFound, `"none"`},
	}
	for name, tc := range tests {
		_, err := f.read(volume, tc.path)
		wantKind(t, name, err, tc.kind)
		if e, ok := errors.AsType[*pods.Error](err); !ok || !strings.Contains(e.Message, tc.message) || strings.Contains(e.Message, f.base) {
			t.Errorf("%s: message of %v, want one about %q", name, err, tc.message)
		}
	}
}
