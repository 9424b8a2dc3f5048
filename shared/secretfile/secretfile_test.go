package secretfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, text string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRead(t *testing.T) {
	t.Parallel()

	if data, err := Read(write(t, "text", 0o600)); err != nil || string(data) != "text" {
		t.Errorf("a closed file = %q, %v", data, err)
	}
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o660, 0o666} {
		if _, err := Read(write(t, "text", mode)); err == nil || !strings.Contains(err.Error(), "others can read") {
			t.Errorf("a file of our own with mode %v = %v, want refused", mode, err)
		}
	}
	if _, err := Read(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file = %v, want fs.ErrNotExist", err)
	}
}

func TestIsOurs(t *testing.T) {
	t.Parallel()

	info, err := os.Stat(write(t, "text", 0o644))
	if err != nil {
		t.Fatal(err)
	}
	owner := os.Geteuid()
	for user, want := range map[int]bool{owner: true, 0: true, owner + 65532: false} {
		if got := isOurs(info, user); got != want {
			t.Errorf("a file of user %d is ours as user %d: %t, want %t", owner, user, got, want)
		}
	}
}

func TestReadKey(t *testing.T) {
	t.Parallel()

	text := strings.Repeat("k", KeySize)
	if key, err := ReadKey(write(t, text, 0o600)); err != nil || string(key[:]) != text {
		t.Errorf("key = %v, %v", key == [KeySize]byte{}, err)
	}
	for _, wrong := range []string{"", text[1:], text + "\n"} {
		if _, err := ReadKey(write(t, wrong, 0o600)); err == nil {
			t.Errorf("a key of %d bytes is taken", len(wrong))
		}
	}
}
