package binaries_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pods-service/pods/cluster/binaries"
)

// sources returns a folder with the sources of three programs so small that
// they build in no time, each in the place of a real one.
func sources(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, program := range binaries.Programs() {
		module := "module github.com/pods-service/pods/cluster/" + program.Name + "\n\ngo 1.26\n"
		write(t, filepath.Join(root, program.Name, "go.mod"), module)
		write(t, filepath.Join(root, program.Name, "main.go"), "package main\n\nfunc main() { println(\"one\") }\n")
	}
	return root
}

func TestBuild(t *testing.T) {
	t.Parallel()

	source, out := sources(t), filepath.Join(t.TempDir(), "bin")
	first := build(t, source, out)
	if strings.Contains(first, "up to date") {
		t.Errorf("the first build built nothing:\n%s", first)
	}
	for _, name := range []string{"kube", "coredns", "pause", "coredns.tar", "pause.tar"} {
		if _, err := os.Stat(filepath.Join(out, name)); err != nil {
			t.Errorf("not built: %v", err)
		}
	}
	if second := build(t, source, out); strings.Count(second, "up to date") != 3 {
		t.Errorf("the second build built something:\n%s", second)
	}
}

// A change to one program builds that one alone.
func TestBuildChanged(t *testing.T) {
	t.Parallel()

	tests := map[string]func(source, out string) error{
		"Source": func(source, _ string) error {
			return os.WriteFile(filepath.Join(source, "kube", "main.go"), []byte("package main\n\nfunc main() { println(\"two\") }\n"), 0o600)
		},
		"NewFile": func(source, _ string) error {
			return os.WriteFile(filepath.Join(source, "kube", "more.go"), []byte("package main\n"), 0o600)
		},
		"Versions": func(source, _ string) error {
			return os.WriteFile(filepath.Join(source, "kube", "go.sum"), []byte("\n"), 0o600)
		},
		"ProgramGone": func(_, out string) error { return os.Remove(filepath.Join(out, "kube")) },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			source, out := sources(t), filepath.Join(t.TempDir(), "bin")
			build(t, source, out)
			if err := change(source, out); err != nil {
				t.Fatal(err)
			}
			second := build(t, source, out)
			if strings.Count(second, "up to date") != 2 || !strings.Contains(second, "kube     built") {
				t.Errorf("want kube built and the others not:\n%s", second)
			}
		})
	}
}

func TestBuildFails(t *testing.T) {
	t.Parallel()

	source, out := sources(t), filepath.Join(t.TempDir(), "bin")
	write(t, filepath.Join(source, "coredns", "main.go"), "package main\n\nfunc main() { missing() }\n")
	var progress bytes.Buffer
	err := binaries.Build(t.Context(), source, out, &progress)
	if err == nil || !strings.Contains(err.Error(), "build coredns") || !strings.Contains(err.Error(), "undefined: missing") {
		t.Errorf("Build: %v, want the compiler's words", err)
	}
	// What failed is tried again.
	write(t, filepath.Join(source, "coredns", "main.go"), "package main\n\nfunc main() {}\n")
	if second := build(t, source, out); !strings.Contains(second, "coredns  built") {
		t.Errorf("coredns was not built the second time:\n%s", second)
	}
}

// The programs must not depend on this machine's C library: they are put into
// empty images.
func TestBuildStatic(t *testing.T) {
	t.Parallel()

	source, out := sources(t), filepath.Join(t.TempDir(), "bin")
	write(t, filepath.Join(source, "pause", "main.go"), "package main\n\nimport \"net\"\n\nfunc main() { _, _ = net.LookupHost(\"localhost\") }\n")
	build(t, source, out)
	output, err := exec.CommandContext(t.Context(), "go", "version", "-m", filepath.Join(out, "pause")).Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(output), "CGO_ENABLED=0") {
		t.Errorf("pause may need a C library:\n%s", output)
	}
}

func TestFindSource(t *testing.T) {
	root := sources(t)
	t.Chdir(filepath.Join(root, "kube"))
	got, err := binaries.FindSource()
	if err != nil {
		t.Fatalf("FindSource: %v", err)
	}
	same, err := sameFile(got, root)
	if err != nil {
		t.Fatal(err)
	}
	if !same {
		t.Errorf("FindSource = %s, want %s", got, root)
	}
}

func sameFile(a, b string) (bool, error) {
	first, errFirst := os.Stat(a)
	second, errSecond := os.Stat(b)
	if err := errors.Join(errFirst, errSecond); err != nil {
		return false, err
	}
	return os.SameFile(first, second), nil
}

func build(t *testing.T, source, out string) string {
	t.Helper()
	var progress bytes.Buffer
	if err := binaries.Build(t.Context(), source, out, &progress); err != nil {
		t.Fatalf("Build: %v\n%s", err, progress.String())
	}
	return progress.String()
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
