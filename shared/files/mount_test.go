package files

import (
	"compress/bzip2"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// tmpfs mounts a file system in memory on a folder, of so many bytes, and takes
// it away after the test.
func tmpfs(t *testing.T, at, size string) {
	t.Helper()
	asRoot(t)
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, "size="+size); err != nil {
		if errors.Is(err, unix.EPERM) {
			t.Skip("needs the right to mount")
		}
		t.Fatal(err)
	}
	unmountAfter(t, at)
}

// btrfs mounts the image in testdata on a new folder: a file system that has
// reflink.
func btrfs(t *testing.T) string {
	t.Helper()
	asRoot(t)
	packed, err := os.Open("testdata/btrfs.img.bz2")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = packed.Close() }()
	image := filepath.Join(t.TempDir(), "btrfs.img")
	unpacked, err := os.Create(image)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(unpacked, bzip2.NewReader(packed)); err != nil {
		t.Fatal(err)
	}
	if err := unpacked.Close(); err != nil {
		t.Fatal(err)
	}
	at := t.TempDir()
	if out, err := exec.Command("mount", "-o", "loop", image, at).CombinedOutput(); err != nil {
		t.Skipf("needs the right to mount, a loop device, and a kernel with btrfs: %v: %s", err, out)
	}
	unmountAfter(t, at)
	return at
}

func unmountAfter(t *testing.T, at string) {
	t.Helper()
	t.Cleanup(func() {
		if err := unix.Unmount(at, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", at, err)
		}
	})
}
