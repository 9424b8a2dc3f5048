package binaries

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/cluster/images"
)

// newSuite returns a suite of three programs, two of the same name, and the
// folder of its sources.
func newSuite(t *testing.T) (Suite, string) {
	t.Helper()
	source := t.TempDir()
	module := "module example.org/tools\n\ngo 1.26\n\ntool (\n"
	for _, program := range []string{"a/cmd/webhook", "b/cmd/webhook", "b/cmd/queue"} {
		module += "\texample.org/tools/" + program + "\n"
		folder := filepath.Join(source, program)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "main.go"), []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(source, "go.mod"), []byte(module+")\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	image := func(program string) string {
		return "dev.local/" + strings.ReplaceAll(strings.TrimPrefix(program, "example.org/tools/"), "/", "-") + ":1"
	}
	return Suite{Name: "tools", Image: image}, source
}

func TestSuiteBuild(t *testing.T) {
	t.Parallel()

	suite, source := newSuite(t)
	out := t.TempDir()
	build := func() string {
		var progress bytes.Buffer
		if err := suite.build(t.Context(), source, out, &progress); err != nil {
			t.Fatalf("build: %v\n%s", err, progress.String())
		}
		return progress.String()
	}
	build()
	names, err := images.Names(filepath.Join(out, "tools.tar"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"dev.local/a-cmd-webhook:1", "dev.local/b-cmd-queue:1", "dev.local/b-cmd-webhook:1"}, names); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
	if left, _ := filepath.Glob(filepath.Join(out, ".tools-*")); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
	if second := build(); second != "tools    up to date\n" {
		t.Errorf("the second build said %q", second)
	}
	// Another name for an image is another image.
	suite.Image = func(program string) string { return "dev.local" + strings.TrimPrefix(program, "example.org") + ":2" }
	if third := build(); !strings.Contains(third, "built") {
		t.Errorf("the third build said %q", third)
	}
}

func TestSuiteBuildFails(t *testing.T) {
	t.Parallel()

	suite, source := newSuite(t)
	out := t.TempDir()
	if err := os.WriteFile(filepath.Join(source, "b/cmd/queue/main.go"), []byte("package main\n\nfunc main() { missing() }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := suite.build(t.Context(), source, out, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "undefined: missing") {
		t.Errorf("build: %v, want the compiler's words", err)
	}
	if left, _ := os.ReadDir(out); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
}

func TestBatches(t *testing.T) {
	t.Parallel()

	got := batches([]string{"a/controller", "a/webhook", "b/controller", "b/ingress", "c/controller"})
	want := [][]string{{"a/controller", "a/webhook", "b/ingress"}, {"b/controller"}, {"c/controller"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("batches (-want +got):\n%s", diff)
	}
}

// Each suite has its go.mod, and no two of its programs share an image.
func TestSuites(t *testing.T) {
	t.Parallel()

	for _, suite := range Suites() {
		t.Run(suite.Name, func(t *testing.T) {
			t.Parallel()

			programs, err := tools(t.Context(), filepath.Join("..", suite.Name))
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, program := range programs {
				names = append(names, suite.Image(program))
			}
			slices.Sort(names)
			if len(names) == 0 || len(slices.Compact(slices.Clone(names))) != len(names) {
				t.Errorf("images %v", names)
			}
		})
	}
}
