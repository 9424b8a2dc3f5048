package files

import (
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/pods"
)

// Whatever the path, what is written there is what is read, listed and
// described there, and nothing around the volume is read or touched.
func FuzzPath(f *testing.F) {
	for _, trick := range tricks {
		for _, path := range trick.paths {
			f.Add(path)
		}
	}
	for _, seed := range []string{
		"a", "a/b/c", "/", "", ".", "inside/file", "inside", "up/secret", "up", "out/secret", "out/../out/secret", "file/x", "inside/../../vol10/secret",
		"a//b/./c/../d", "\x00", "a\x00b", "..\\..", strings.Repeat("x", 300), strings.Repeat("x/", 300), "pipe", "pipe/x", "\xff\xfe", "a\nb",
		".staging/x", "../.staging", "..", "...", "a/...", "a/..b", "~", "$HOME", "-rf", "con", "a:b", "nul", "\u202e/x", "é", "e\u0301",
	} {
		f.Add(seed)
	}
	base := f.TempDir()
	all := newFixtureIn(f, filepath.Join(base, "base"), Options{})
	around := newOutside(all, filepath.Join(base, "elsewhere"))

	f.Fuzz(func(t *testing.T, fuzzed string) {
		fx, o := all, around
		fx.t, o.f.t = t, t
		fx.must(os.RemoveAll(fx.at(volume, "")))
		fx.must(fx.Create(t.Context(), volume))
		fx.put(volume, "inside/file", "own")
		fx.put(volume, "file", "own")
		fx.link("../vol10", "up")
		fx.link(o.folder, "out")
		fx.link("inside", "in")

		for operation, do := range operations(fx, volume) {
			if strings.HasPrefix(operation, "Write") || strings.HasPrefix(operation, "Restore") {
				continue
			}
			shown, err := do(t.Context(), fuzzed)
			if strings.Contains(shown, canary) || strings.Contains(shown, "root:x:0:0") {
				t.Errorf("%s shows what is outside: %.80q", operation, shown)
			}
			if pods.KindOf(err) == pods.KindInternal {
				t.Errorf("%s: %v", operation, err)
			}
		}
		const content = "written by the fuzz test"
		n, err := fx.Write(t.Context(), volume, fuzzed, strings.NewReader(content), -1)
		if err == nil {
			wantWritten(t, fx, fuzzed, content, n)
		} else if kind := pods.KindOf(err); kind != pods.KindInvalid {
			t.Errorf("Write: %v", err)
		}
		o.wantUntouched()
		_, err = fx.Purge(t.Context(), clock.Add(time.Hour))
		fx.must(err)
		fx.wantClean()
	})
}

func wantWritten(t *testing.T, f fixture, fuzzed, content string, n int64) {
	t.Helper()
	clean, err := CleanFilePath(fuzzed)
	if err != nil || n != int64(len(content)) {
		t.Errorf("%d bytes have been written to a path that is refused: %v", n, err)
	}
	got, err := f.read(volume, fuzzed)
	if got != content || err != nil {
		t.Errorf("Read = %q, %v", got, err)
	}
	file, err := f.Stat(t.Context(), volume, fuzzed)
	if err != nil || file.Path != clean || file.Size != n || file.Type != TypeFile {
		t.Errorf("Stat = %+v, %v", file, err)
	}
	parent := path.Dir(clean)
	found, err := f.list(volume, parent, false)
	if err != nil || found[clean] != file {
		t.Errorf("List(%q) = %+v, %v, want %+v", parent, found, err, file)
	}
	if onDisk := f.content(volume, clean); onDisk != content {
		t.Errorf("on the disk is %q", onDisk)
	}
	if err := f.Zip(t.Context(), volume, "", io.Discard); err != nil {
		t.Errorf("Zip: %v", err)
	}
}
