package files

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"golang.org/x/sys/unix"

	"github.com/pods-service/pods/shared/pods"
)

func TestWriteAndRead(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	for _, path := range []string{"a.txt", "/b.txt", "x/y/z.txt", "x/y/z.txt", "x/other", "q/../r.txt", "naïve name", ".hidden"} {
		f.write(volume, path, "content of "+path)
		got, err := f.read(volume, path)
		if err != nil || got != "content of "+path {
			t.Errorf("Read(%q) = %q, %v", path, got, err)
		}
		if file, err := f.Stat(t.Context(), volume, path); err != nil || file.Size != int64(len(got)) || file.Type != TypeFile {
			t.Errorf("Stat(%q) = %+v, %v", path, file, err)
		}
	}
	f.wantClean()
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	f.put(volume, "folder/file", "old")
	f.must(os.Mkdir(f.at(volume, "empty"), 0o777))
	f.must(os.Symlink("folder", f.at(volume, "link")))
	other := Object{"dev", Volumes, "none"}
	tests := map[string]struct {
		object  Object
		path    string
		limit   int64
		kind    pods.Kind
		message string
	}{
		"Root":           {volume, "/", -1, pods.KindInvalid, "Requesting no path"},
		"Folder":         {volume, "folder", -1, pods.KindInvalid, "A folder is at"},
		"EmptyFolder":    {volume, "empty", -1, pods.KindInvalid, "A folder is at"},
		"BelowFile":      {volume, "folder/file/new", -1, pods.KindInvalid, `"folder/file", which is a link or a file`},
		"ThroughLink":    {volume, "link/file", -1, pods.KindInvalid, "link"},
		"Escape":         {volume, "../vol10/x", -1, pods.KindInvalid, ".."},
		"Backslash":      {volume, `a\b`, -1, pods.KindInvalid, "backslash"},
		"NotUTF8":        {volume, "a\xff", -1, pods.KindInvalid, "UTF-8"},
		"TooLarge":       {volume, "folder/file", 5, pods.KindTooLarge, "5 bytes"},
		"TooLargeAtZero": {volume, "folder/file", 0, pods.KindTooLarge, "0 bytes"},
		"NoVolume":       {other, "file", -1, pods.KindNotFound, "volume none"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := f.Write(t.Context(), tc.object, tc.path, strings.NewReader("longer"), tc.limit)
			wantKind(t, "Write", err, tc.kind)
			if err != nil && !strings.Contains(err.Error(), tc.message) {
				t.Errorf("error %q is not about %q", err, tc.message)
			}
		})
	}
	t.Cleanup(func() {
		if got := f.content(volume, "folder/file"); got != "old" {
			t.Errorf("the file has become %q", got)
		}
		f.wantClean()
	})
}

func TestWriteUpToTheLimit(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	for _, limit := range []int64{5, math.MaxInt64} {
		if n, err := f.Write(t.Context(), volume, "a", strings.NewReader("12345"), limit); n != 5 || err != nil {
			t.Errorf("Write = %d, %v", n, err)
		}
	}
}

// A failed upload leaves no file, no folders and the old content.
func TestWriteBreaksOff(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	f.put(volume, "file", "old")
	reset := errors.New("connection reset")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	tests := map[string]struct {
		ctx  context.Context //nolint:containedctx // one case of a table
		body io.Reader
		want error
	}{
		"Client":  {t.Context(), io.MultiReader(strings.NewReader("new"), iotest.ErrReader(reset)), reset},
		"Context": {cancelled, strings.NewReader("new"), context.Canceled},
	}
	for name, tc := range tests {
		for _, path := range []string{"file", "new/folder/file"} {
			if _, err := f.Write(tc.ctx, volume, path, tc.body, -1); !errors.Is(err, tc.want) {
				t.Errorf("%s, %s: %v, want %v", name, path, err, tc.want)
			}
		}
	}
	if got := f.content(volume, "file"); got != "old" {
		t.Errorf("the file has become %q", got)
	}
	if found, err := f.list(volume, "", true); err != nil || len(found) != 1 {
		t.Errorf("the volume has %v (%v)", found, err)
	}
	f.wantClean()
}

// What is written is as open as the folder it is in, and what is replaced keeps
// its permissions and owner.
func TestWriteKeepsVolumesUsable(t *testing.T) {
	t.Parallel()
	asRoot(t)
	f := newFixture(t, Options{})
	f.must(os.MkdirAll(f.at(volume, "owned"), 0o755))
	f.must(os.Chown(f.at(volume, "owned"), 1234, 567))
	f.must(os.Chmod(f.at(volume, "owned"), 0o750))
	f.put(volume, "owned/script", "old")
	f.must(os.Chmod(f.at(volume, "owned/script"), 0o711|os.ModeSetuid))
	f.must(os.Chown(f.at(volume, "owned/script"), 99, 98))
	for _, path := range []string{"new", "one/two/three", "owned/new", "owned/deep/new", "owned/script"} {
		f.write(volume, path, "new")
	}
	tests := map[string]struct {
		mode     uint32
		uid, gid uint32
	}{
		"":               {0o777, 0, 0},
		"new":            {0o666, 0, 0},
		"one":            {0o777, 0, 0},
		"one/two":        {0o777, 0, 0},
		"one/two/three":  {0o666, 0, 0},
		"owned/new":      {0o640, 1234, 567},
		"owned/deep":     {0o750, 1234, 567},
		"owned/deep/new": {0o640, 1234, 567},
		"owned/script":   {0o711, 99, 98},
	}
	for path, want := range tests {
		var stat unix.Stat_t
		f.must(unix.Lstat(f.at(volume, path), &stat))
		if stat.Mode&0o7777 != want.mode || stat.Uid != want.uid || stat.Gid != want.gid {
			t.Errorf("%q has mode %o, owner %d:%d, want %o, %d:%d", path, stat.Mode&0o7777, stat.Uid, stat.Gid, want.mode, want.uid, want.gid)
		}
	}
}

// A container that has a file open keeps what it has, and links do not carry an
// upload elsewhere.
func TestWriteReplacesNames(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	f.put(volume, "target", "old")
	f.must(os.Link(f.at(volume, "target"), f.at(volume, "hard")))
	f.must(os.Symlink("target", f.at(volume, "soft")))
	f.must(syscall.Mkfifo(f.at(volume, "pipe"), 0o666))
	for _, path := range []string{"hard", "soft", "pipe"} {
		f.write(volume, path, "new")
		if got, err := f.read(volume, path); got != "new" || err != nil {
			t.Errorf("Read(%q) = %q, %v", path, got, err)
		}
		if info, err := os.Lstat(f.at(volume, path)); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%q is %v, %v", path, info.Mode(), err)
		}
	}
	if got := f.content(volume, "target"); got != "old" {
		t.Errorf("the target of the links has become %q", got)
	}
}

// asRoot says what cannot be tried without being root.
func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: gives files away, makes devices, mounts")
	}
}
