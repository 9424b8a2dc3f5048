package images_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/pods-service/pods/cluster/images"
)

// spec returns the description of an image with two files in it.
func spec(t *testing.T) images.Spec {
	t.Helper()
	folder := t.TempDir()
	program, page := filepath.Join(folder, "program"), filepath.Join(folder, "page")
	for path, content := range map[string]string{program: "\x7fELF", page: "<html>"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return images.Spec{
		Name: "dev.local/hello:1", Entrypoint: []string{"/bin/hello", "--page"}, User: "65532",
		Env: []string{"GREETING=hi there"}, Ports: []string{"5000", "53/udp"}, Labels: map[string]string{"a": "b", "c": "d"},
		Files:    []images.File{{Source: program, Destination: "/bin/hello"}, {Source: page, Destination: "/srv/www/page"}},
		Writable: []string{"/tmp"},
	}
}

func TestWriteTwice(t *testing.T) {
	t.Parallel()

	spec := spec(t)
	first, second := filepath.Join(t.TempDir(), "1.tar"), filepath.Join(t.TempDir(), "2.tar")
	if err := images.Write(spec, first); err != nil {
		t.Fatalf("Write: %v", err)
	}
	// Neither the files' age nor their order or rights matter.
	for _, file := range spec.Files {
		if err := errors.Join(os.Chtimes(file.Source, time.Time{}, time.Unix(1, 0)), os.Chmod(file.Source, 0o400)); err != nil {
			t.Fatal(err)
		}
	}
	spec.Files[0], spec.Files[1] = spec.Files[1], spec.Files[0]
	if err := images.Write(spec, second); err != nil {
		t.Fatalf("Write again: %v", err)
	}
	if !bytes.Equal(read(t, first), read(t, second)) {
		t.Error("the same image differs from one time to the next")
	}
}

func TestExtract(t *testing.T) {
	t.Parallel()

	file, target := filepath.Join(t.TempDir(), "hello.tar"), filepath.Join(t.TempDir(), "hello")
	if err := images.Write(spec(t), file); err != nil {
		t.Fatalf("Write: %v", err)
	}
	if err := images.Extract(file, "dev.local/hello:1", "/bin/hello", target); err != nil {
		t.Fatal(err)
	}
	if got := read(t, target); string(got) != "\x7fELF" {
		t.Errorf("the program is %q", got)
	}
	if info, err := os.Stat(target); err != nil || info.Mode().Perm()&0o111 == 0 {
		t.Errorf("it cannot be run: %v, %v", info.Mode(), err)
	}
	for _, missing := range [][2]string{{"dev.local/other:1", "/bin/hello"}, {"dev.local/hello:1", "/bin/other"}} {
		if err := images.Extract(file, missing[0], missing[1], target); err == nil {
			t.Errorf("%v is found", missing)
		}
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "hello.tar")
	if err := images.Write(spec(t), path); err != nil {
		t.Fatalf("Write: %v", err)
	}
	image, err := tarball.ImageFromPath(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	want := v1.Config{
		Entrypoint: []string{"/bin/hello", "--page"}, User: "65532", Env: []string{"GREETING=hi there"}, WorkingDir: "/",
		ExposedPorts: map[string]struct{}{"5000/tcp": {}, "53/udp": {}}, Labels: map[string]string{"a": "b", "c": "d"},
	}
	if diff := cmp.Diff(want, file.Config); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	wantContent := map[string]string{"bin/": "", "bin/hello": "\x7fELF", "srv/": "", "srv/www/": "", "srv/www/page": "<html>", "tmp/": ""}
	if diff := cmp.Diff(wantContent, content(t, image)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	names, err := images.Names(path)
	if err != nil {
		t.Fatalf("Names: %v", err)
	}
	if diff := cmp.Diff([]string{"dev.local/hello:1"}, names); diff != "" {
		t.Errorf("Names (-want +got):\n%s", diff)
	}
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		change func(*images.Spec)
		want   string
	}{
		"Name":         {func(s *images.Spec) { s.Name = "Not A Name" }, "image name"},
		"NoEntrypoint": {func(s *images.Spec) { s.Entrypoint = nil }, "entrypoint"},
		"Relative":     {func(s *images.Spec) { s.Entrypoint = []string{"hello"} }, "entrypoint"},
		"Port":         {func(s *images.Spec) { s.Ports = []string{"http"} }, "port"},
		"PortProtocol": {func(s *images.Spec) { s.Ports = []string{"80/http"} }, "port"},
		"NoFiles":      {func(s *images.Spec) { s.Files = nil }, "file"},
		"Missing":      {func(s *images.Spec) { s.Files[0].Source = "/no/such/file" }, "/no/such/file"},
		"Folder":       {func(s *images.Spec) { s.Files[0].Source = "/" }, "not a regular file"},
		"Destination":  {func(s *images.Spec) { s.Files[0].Destination = "bin/hello" }, "destination"},
		"Twice":        {func(s *images.Spec) { s.Files[1].Destination = "/bin/../bin/hello" }, "twice"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			spec := spec(t)
			tc.change(&spec)
			path := filepath.Join(t.TempDir(), "image.tar")
			err := images.Write(spec, path)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Write: %v, want an error about %q", err, tc.want)
			}
			if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) > 0 {
				t.Errorf("it left %v", entries)
			}
		})
	}
}

// An image in the OCI layout has its names elsewhere.
func TestNamesOCI(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "oci.tar")
	var packed bytes.Buffer
	archive := tar.NewWriter(&packed)
	index := `{"manifests":[{"annotations":{"io.containerd.image.name":"docker.io/library/nginx:1"}},{"annotations":null}]}`
	if err := archive.WriteHeader(&tar.Header{Name: "index.json", Mode: 0o600, Size: int64(len(index))}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(archive, index); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(archive.Close(), os.WriteFile(path, packed.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	names, err := images.Names(path)
	if err != nil {
		t.Fatalf("Names: %v", err)
	}
	if diff := cmp.Diff([]string{"docker.io/library/nginx:1"}, names); diff != "" {
		t.Errorf("Names (-want +got):\n%s", diff)
	}
}

func TestNamesNoImage(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(path, bytes.Repeat([]byte("no archive"), 100), 0o600); err != nil {
		t.Fatal(err)
	}
	if names, err := images.Names(path); err == nil {
		t.Errorf("Names = %v, want an error", names)
	}
}

func TestLoadFails(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "hello.tar")
	if err := images.Write(spec(t), path); err != nil {
		t.Fatal(err)
	}
	client := filepath.Join(t.TempDir(), "ctr")
	if err := os.WriteFile(client, []byte("#!/bin/sh\necho \"cannot reach $2\" >&2\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := images.Runtime{Client: client, Socket: "/run/containerd.sock"}.Load(t.Context(), path)
	if err == nil || !strings.Contains(err.Error(), "cannot reach /run/containerd.sock") {
		t.Errorf("Load: %v, want what the client said", err)
	}
}

// content returns the members of the image's only layer.
func content(t *testing.T, image v1.Image) map[string]string {
	t.Helper()
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if len(layers) != 1 {
		t.Fatalf("%d layers, want 1", len(layers))
	}
	layer, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer layer.Close()
	members := map[string]string{}
	archive := tar.NewReader(layer)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return members
		}
		if err != nil {
			t.Fatal(err)
		}
		want := int64(0o755)
		if header.Name == "tmp/" {
			want = 0o1777
		}
		if header.Mode != want {
			t.Errorf("%s has mode %o, want %o", header.Name, header.Mode, want)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		members[header.Name] = string(data)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
