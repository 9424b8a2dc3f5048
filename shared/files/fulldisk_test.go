package files

import (
	"io"
	"strings"
	"testing"

	"github.com/pods-service/pods/shared/pods"
)

// A full disk leaves the old file, says what it is, and leaves no rest behind.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	tmpfs(t, base, "4m")
	f := newFixtureIn(t, base, Options{})
	f.write(volume, "file", "old")
	f.write(volume, "folder/half", strings.Repeat("x", 2<<20))

	_, err := f.Write(t.Context(), volume, "file", io.LimitReader(zeros{}, 8<<20), -1)
	wantFull(t, "Write", err)
	_, err = f.Write(t.Context(), volume, "new/deep/file", io.LimitReader(zeros{}, 8<<20), -1)
	wantFull(t, "Write of a new file", err)
	f.write(volume, "folder/more", strings.Repeat("x", 1<<20))
	_, err = f.Copy(t.Context(), volume, "", Object{"dev", Snapshots, "snap1"}, "", CopyMode{})
	wantFull(t, "Copy", err)

	found, err := f.list(volume, "", true)
	if err != nil || len(found) != 4 || f.content(volume, "file") != "old" {
		t.Errorf("the volume has %v (%v), file has %q", found, err, f.content(volume, "file"))
	}
	if _, err := f.Stat(t.Context(), Object{"dev", Snapshots, "snap1"}, ""); pods.KindOf(err) != pods.KindNotFound {
		t.Errorf("the snapshot is there: %v", err)
	}
	f.wantClean()
	f.write(volume, "file", "there is space again")
}

func wantFull(t *testing.T, what string, err error) {
	t.Helper()
	wantKind(t, what, err, pods.KindUnavailable)
	if err != nil && !strings.Contains(err.Error(), "full") {
		t.Errorf("%s: %v", what, err)
	}
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
