package machine

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const someonesPolicy = "#!/bin/sh\nexit 0\n"

// assertPolicy checks the content of the policy, which is "" for none, and that
// nothing else is left beside it.
func assertPolicy(t *testing.T, path, want string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if string(content) != want {
		t.Errorf("policy = %q, want %q", content, want)
	}
	if _, err := os.Stat(savedPolicy(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the saved policy is still there: %v", err)
	}
}

func TestDenyServiceStarts(t *testing.T) {
	t.Parallel()

	for name, before := range map[string]string{"None": "", "Someones": someonesPolicy} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			path := filepath.Join(t.TempDir(), "policy-rc.d")
			if before != "" {
				write(t, path, before)
			}
			restore, err := denyServiceStarts(path)
			if err != nil {
				t.Fatalf("denyServiceStarts: %v", err)
			}
			var exit *exec.ExitError
			if err := exec.Command(path, "containerd", "start").Run(); !errors.As(err, &exit) || exit.ExitCode() != 101 {
				t.Errorf("asked whether a service may start: %v, want exit status 101", err)
			}
			if err := restore(); err != nil {
				t.Fatalf("restore: %v", err)
			}
			assertPolicy(t, path, before)
		})
	}
}

// A run that is killed restores nothing; the next one does.
func TestRestorePolicyAfterKill(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "policy-rc.d")
	write(t, path, someonesPolicy)
	if _, err := denyServiceStarts(path); err != nil {
		t.Fatal(err)
	}
	if err := restorePolicy(path); err != nil {
		t.Fatalf("restorePolicy: %v", err)
	}
	assertPolicy(t, path, someonesPolicy)

	// Killed between setting the old one aside and writing the new one.
	if err := os.Rename(path, savedPolicy(path)); err != nil {
		t.Fatal(err)
	}
	if err := restorePolicy(path); err != nil {
		t.Fatalf("restorePolicy: %v", err)
	}
	assertPolicy(t, path, someonesPolicy)
}

func TestRestorePolicyNothingToDo(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "policy-rc.d")
	if err := restorePolicy(path); err != nil {
		t.Fatalf("restorePolicy: %v", err)
	}
	assertPolicy(t, path, "")
}
