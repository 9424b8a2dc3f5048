package files

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// swaps is how often every operation runs while names are swapped.
const swaps = 300

// A container that swaps names all the time, a folder for a link, a file for a
// link, a pipe or a device, gets nothing out and nothing written elsewhere,
// whenever it hits.
func TestContainmentWhileSwapping(t *testing.T) {
	t.Parallel()
	asRoot(t)
	tests := map[string]struct {
		name string // what is swapped, below the volume's parent
		with func(f fixture, o outside, path string)
		file string // what operations are given, by turns with the folder it is in
	}{
		"FolderAndLink":  {"vol1/own", linkTo(func(o outside) string { return o.folder + "/sub" }), "own/secret"},
		"FolderAndUp":    {"vol1/own", linkTo(func(outside) string { return "../vol10/sub" }), "own/secret"},
		"FileAndLink":    {"vol1/own/secret", linkTo(func(o outside) string { return o.folder + "/secret" }), "own/secret"},
		"FileAndLinkUp":  {"vol1/own/secret", linkTo(func(outside) string { return "../../vol10/secret" }), "own/secret"},
		"FileAndPipe":    {"vol1/own/secret", node(unix.S_IFIFO|0o666, 0), "own/secret"},
		"FileAndDevice":  {"vol1/own/secret", node(unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))), "own/secret"},
		"ObjectAndLink":  {"vol1", linkTo(func(outside) string { return "vol10" }), "sub/secret"},
		"ObjectAndOther": {"vol1", linkTo(func(outside) string { return "../../other/volumes/vol1" }), "sub/secret"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			memory := t.TempDir()
			tmpfs(t, memory, "64m")
			f := newFixtureIn(t, memory+"/base", Options{})
			o := newOutside(f, memory+"/elsewhere")
			swapped := filepath.Join(filepath.Dir(f.at(volume, "")), tc.name)
			other := memory + "/other"
			refused, done := 0, 0
			for operation, do := range operations(f, volume) {
				f.must(os.RemoveAll(other))
				f.prepare(func(f fixture, o outside) {
					f.put(volume, "sub/secret", "own")
					tc.with(f, o, other)
				}, o)
				stop := f.swapping(swapped, other)
				paths := [...]string{tc.file, filepath.Dir(tc.file), ""}
				for i := range swaps {
					shown, err := do(t.Context(), paths[i%len(paths)])
					if err != nil { // as it should be whenever the link is there
						refused++
					} else {
						done++
					}
					if strings.Contains(shown, canary) {
						t.Errorf("%s shows what is outside: %.80q", operation, shown)
						break
					}
				}
				stop()
			}
			if refused == 0 || done == 0 {
				t.Errorf("%d operations were done and %d refused: nothing has been swapped", done, refused)
			}
			o.wantUntouched()
		})
	}
}

func linkTo(target func(outside) string) func(fixture, outside, string) {
	return func(f fixture, o outside, path string) {
		f.t.Helper()
		f.must(os.Symlink(target(o), path))
	}
}

func node(mode uint32, device int) func(fixture, outside, string) {
	return func(f fixture, _ outside, path string) {
		f.t.Helper()
		f.must(unix.Mknod(path, mode, device))
	}
}

// swapping swaps two names without a pause until it is told to stop.
func (f fixture) swapping(a, b string) (stop func()) {
	ctx, cancel := context.WithCancel(f.t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			// What an operation has replaced at that moment is not there to swap.
			_ = unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
		}
	})
	return func() {
		cancel()
		done.Wait()
	}
}
