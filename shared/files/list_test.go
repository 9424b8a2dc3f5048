package files

import (
	"errors"
	"maps"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/pods"
)

func TestList(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	f.put(volume, "a.txt", "12345")
	f.put(volume, "x/y/z", "1")
	f.must(os.Symlink("../a.txt", f.at(volume, "x/link")))
	f.must(os.Symlink("x", f.at(volume, "short")))
	f.must(syscall.Mkfifo(f.at(volume, "pipe"), 0o640))
	f.must(os.Chmod(f.at(volume, "pipe"), 0o640))
	f.must(os.Chtimes(f.at(volume, "a.txt"), clock, clock))
	tests := map[string]struct {
		path      string
		recursive bool
		want      map[string]string
	}{
		"Root":       {"/", false, map[string]string{"a.txt": TypeFile, "x": TypeDir, "short": TypeLink, "pipe": TypeOther}},
		"Everything": {"", true, map[string]string{"a.txt": TypeFile, "x": TypeDir, "x/y": TypeDir, "x/y/z": TypeFile, "x/link": TypeLink, "short": TypeLink, "pipe": TypeOther}},
		"Folder":     {"x", false, map[string]string{"x/y": TypeDir, "x/link": TypeLink}},
		"Below":      {"x/", true, map[string]string{"x/y": TypeDir, "x/y/z": TypeFile, "x/link": TypeLink}},
		"ByLink":     {"short/y", false, map[string]string{"short/y/z": TypeFile}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, err := f.list(volume, tc.path, tc.recursive)
			got := map[string]string{}
			for path, file := range found {
				got[path] = file.Type
			}
			if err != nil || !maps.Equal(got, tc.want) {
				t.Errorf("List(%q) = %v, %v, want %v", tc.path, got, err, tc.want)
			}
		})
	}
	found, err := f.list(volume, "", false)
	if want := (File{"a.txt", "a.txt", TypeFile, 5, clock, 0o644}); err != nil || found["a.txt"] != want {
		t.Errorf("a.txt is %+v, want %+v", found["a.txt"], want)
	}
	if got := found["pipe"].Mode; got != 0o640|os.ModeNamedPipe {
		t.Errorf("the pipe has mode %v", got)
	}
}

func TestListRefuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	f.put(volume, "file", "")
	tests := map[string]struct {
		object Object
		path   string
		kind   pods.Kind
	}{
		"File":      {volume, "file", pods.KindInvalid},
		"BelowFile": {volume, "file/x", pods.KindNotFound},
		"Missing":   {volume, "none", pods.KindNotFound},
		"Escape":    {volume, "..", pods.KindInvalid},
		"Sibling":   {Object{"dev", Volumes, "vol10"}, "", pods.KindNotFound},
		"NoTenant":  {Object{"other", Volumes, "vol1"}, "", pods.KindNotFound},
	}
	for name, tc := range tests {
		_, err := f.list(tc.object, tc.path, true)
		wantKind(t, name, err, tc.kind)
	}
}

func TestListEndsWhenItsReaderDoes(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	f.put(volume, "x/a", "")
	f.put(volume, "x/b", "")
	full, calls := errors.New("connection closed"), 0
	err := f.List(t.Context(), volume, "", true, func(File) error { calls++; return full })
	if !errors.Is(err, full) || pods.KindOf(err) != pods.KindInternal || calls != 1 {
		t.Errorf("List ended with %v after %d calls", err, calls)
	}
}

// What is removed while it is listed is no reason to fail.
func TestListOfWhatVanishes(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	f.put(volume, "x/a/b", "")
	f.put(volume, "y", "")
	err := f.List(t.Context(), volume, "", true, func(file File) error { return os.RemoveAll(f.at(volume, "x/a")) })
	if err != nil {
		t.Errorf("List: %v", err)
	}
	f.put(volume, "x/a/b", "")
	if err := f.List(t.Context(), volume, "x/a", true, func(File) error { return os.RemoveAll(f.at(volume, "x")) }); err != nil {
		t.Errorf("List: %v", err)
	}
}

func TestStatOfRoot(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	file, err := f.Stat(t.Context(), volume, "/")
	if err != nil || file.Path != "" || file.Name != "" || file.Type != TypeDir || file.Mode != os.ModeDir|0o777 || time.Since(file.ModTime) > time.Hour {
		t.Errorf("Stat = %+v, %v", file, err)
	}
}

// Folders that containers have nested deeper than any path are refused by all
// that walks, and purged all the same.
func TestDeepFolders(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	at, err := f.object(volume)
	f.must(err)
	for range 3 * MaxDepth {
		below, err := at.make("folder-with-a-rather-long-name", 0o777)
		f.must(err)
		at.close()
		at = below
	}
	at.close()
	snapshot := Object{"dev", Snapshots, "deep"}
	_, listErr := f.list(volume, "", true)
	_, measureErr := f.Measure(t.Context(), volume)
	_, copyErr := f.Copy(t.Context(), volume, "", snapshot, "", CopyMode{})
	zipErr := f.Zip(t.Context(), volume, "", nil)
	for name, err := range map[string]error{"List": listErr, "Measure": measureErr, "Copy": copyErr, "Zip": zipErr} {
		wantKind(t, name, err, pods.KindInvalid)
	}
	f.wantClean()
	f.must(f.Remove(t.Context(), volume))
	if n, err := f.Purge(t.Context(), clock.Add(time.Second)); n != 1 || err != nil {
		t.Errorf("Purge = %d, %v", n, err)
	}
	f.wantClean()
}
