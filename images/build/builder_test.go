package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// thisProgram is a Go program that is there: the test's own.
func thisProgram(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func newBuilder(t *testing.T, registry string) builder {
	t.Helper()
	return builder{out: t.TempDir(), version: "1.2.3", registry: registry, log: io.Discard}
}

func TestImage(t *testing.T) {
	t.Parallel()

	b := newBuilder(t, "")
	p := program{"functions/api", []string{"8080"}}
	image, err := b.image(p, thisProgram(t))
	if err != nil {
		t.Fatal(err)
	}
	if name := image.tag.String(); !strings.HasPrefix(name, "dev.local/pods-api:1.2.3-") {
		t.Errorf("its name is %s", name)
	}
	packed, err := tarball.ImageFromPath(image.tar, &image.tag)
	if err != nil {
		t.Fatal(err)
	}
	file, err := packed.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	want := v1.Config{
		Entrypoint: []string{"/api"}, User: "65532", WorkingDir: "/", ExposedPorts: map[string]struct{}{"8080/tcp": {}},
		Labels: map[string]string{"org.opencontainers.image.version": "1.2.3"},
	}
	if diff := cmp.Diff(want, file.Config); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if !file.Created.IsZero() {
		t.Errorf("it says when it was made: %s", file.Created)
	}
}

// TestImageAgain has the same program give the same image, on another day and in
// another folder, and be left alone when it is there.
func TestImageAgain(t *testing.T) {
	t.Parallel()

	p := program{"functions/api", nil}
	var digests []v1.Hash
	for range 2 {
		image, err := newBuilder(t, "").image(p, thisProgram(t))
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, image.digest)
	}
	if digests[0] != digests[1] {
		t.Errorf("one program gave %s, then %s", digests[0], digests[1])
	}

	b := newBuilder(t, "")
	first, err := b.image(p, thisProgram(t))
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(first.tar)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.image(p, thisProgram(t)); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(first.tar); err != nil || !os.SameFile(before, after) {
		t.Errorf("it was built again (%v)", err)
	}
}

func TestPackRoot(t *testing.T) {
	t.Parallel()

	folder := t.TempDir()
	root, target := filepath.Join(folder, "root.tar"), filepath.Join(folder, "image.tar")
	if err := os.WriteFile(root, make([]byte, 1024), 0o600); err != nil { // an empty archive
		t.Fatal(err)
	}
	if err := run(t.Context(), []string{"root", "--name", "dev.local/redis:7", "--entrypoint", "/bin/redis", "--stop-signal", "SIGINT", root, target}); err != nil {
		t.Fatal(err)
	}
	image, err := tarball.ImageFromPath(target, nil)
	if err != nil {
		t.Fatal(err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if file.Config.User != "65532" || file.Config.StopSignal != "SIGINT" || !cmp.Equal(file.Config.Entrypoint, []string{"/bin/redis"}) {
		t.Errorf("configuration %+v", file.Config)
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		args []string
		want string
	}{
		"Nothing":      {nil, "say what"},
		"Unknown":      {[]string{"all"}, "all"},
		"NoVersion":    {[]string{"programs", "out"}, "usage"},
		"NoOut":        {[]string{"programs", "--version", "1"}, "usage"},
		"NoEntrypoint": {[]string{"root", "--name", "a:1", "a", "b"}, "usage"},
		"Name":         {[]string{"root", "--name", "A B", "--entrypoint", "/a", "a", "b"}, "A B"},
		"Relative":     {[]string{"root", "--name", "a:1", "--entrypoint", "a", "a", "b"}, "absolute"},
		"NoRoot":       {[]string{"root", "--name", "a:1", "--entrypoint", "/a", "/no/such.tar", "b"}, "/no/such.tar"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if err := run(t.Context(), tc.args); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want an error about %q", err, tc.want)
			}
		})
	}
}
