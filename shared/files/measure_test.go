package files

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/pods-service/pods/shared/pods"
)

func TestMeasure(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	empty, err := f.Measure(t.Context(), volume)
	if err != nil || empty.Files != 0 || empty.Bytes > 64<<10 {
		t.Errorf("an empty volume has %+v, %v", empty, err)
	}
	f.put(volume, "large", strings.Repeat("x", 1<<20))
	for _, name := range []string{"same", "again"} {
		f.must(os.Link(f.at(volume, "large"), f.at(volume, name)))
	}
	f.put(volume, "holes", "")
	f.must(os.Truncate(f.at(volume, "holes"), 1<<40))
	f.must(os.Symlink("/", f.at(volume, "link")))
	f.put(volume, "x/y", "1")
	size, err := f.Measure(t.Context(), volume)
	if err != nil || size.Files != 4 || size.Bytes < 1<<20 || size.Bytes > 1<<20+128<<10 {
		t.Errorf("Measure = %+v, %v, want 4 files of a little more than a MiB", size, err)
	}
	_, err = f.Measure(t.Context(), Object{"dev", Volumes, "none"})
	wantKind(t, "Measure of nothing", err, pods.KindNotFound)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Measure(ctx, volume); !errors.Is(err, context.Canceled) {
		t.Errorf("Measure: %v", err)
	}
}

// What is mounted inside a volume is not part of it.
func TestWalksStayOnTheFileSystem(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	f.must(os.Mkdir(f.at(volume, "mounted"), 0o777))
	tmpfs(t, f.at(volume, "mounted"), "4m")
	f.put(volume, "mounted/secret", strings.Repeat("x", 2<<20))
	if found, err := f.list(volume, "", true); err != nil || len(found) != 1 {
		t.Errorf("List = %v, %v", found, err)
	}
	if size, err := f.Measure(t.Context(), volume); err != nil || size.Files != 0 || size.Bytes > 1<<20 {
		t.Errorf("Measure = %+v, %v", size, err)
	}
	_, err := f.Copy(t.Context(), volume, "", snapshot, "", CopyMode{})
	f.must(err)
	wantTree(t, f.at(snapshot, ""), map[string]string{})
}
