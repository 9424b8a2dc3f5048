package main

import (
	"bytes"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// TestSend sends an image to a registry and finds it there by digest, with the
// list of its parts.
func TestSend(t *testing.T) {
	t.Parallel()

	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	b := newBuilder(t, strings.TrimPrefix(server.URL, "http://")+"/team")
	image, err := b.image(program{"functions/api", nil}, thisProgram(t))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // what is there is left as it is
		if err := b.send(t.Context(), image); err != nil {
			t.Fatal(err)
		}
	}
	byDigest := image.tag.Digest(image.digest.String())
	if _, err := remote.Image(byDigest); err != nil {
		t.Errorf("the image by digest: %v", err)
	}
	index, err := remote.Referrers(byDigest)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 1 || manifest.Manifests[0].ArtifactType != string(partsType) {
		t.Fatalf("what refers to the image: %+v", manifest.Manifests)
	}
	attached, err := remote.Image(image.tag.Digest(manifest.Manifests[0].Digest.String()))
	if err != nil {
		t.Fatal(err)
	}
	layers, err := attached.Layers()
	if err != nil {
		t.Fatal(err)
	}
	content, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(content)
	if err != nil {
		t.Fatal(err)
	}
	if want, err := os.ReadFile(partsFile(image.tar)); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the list of parts differs from the file (%v): %s", err, got)
	}
}

func TestPartsOf(t *testing.T) {
	t.Parallel()

	first, err := partsOf(thisProgram(t), "pods-api", "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	second, err := partsOf(thisProgram(t), "pods-api", "1.2.3")
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("the same program gave two lists (%v)", err)
	}
	var bom cyclonedx.BOM
	if err := cyclonedx.NewBOMDecoder(bytes.NewReader(first), cyclonedx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, part := range *bom.Components {
		found[part.Name] = part.PackageURL
	}
	if url := found["std"]; !strings.HasPrefix(url, "pkg:golang/std@1.") {
		t.Errorf("the standard library is %q", url)
	}
	if url := found["github.com/google/go-containerregistry"]; !strings.HasPrefix(url, "pkg:golang/github.com/google/go-containerregistry@v0.") {
		t.Errorf("a library is %q", url)
	}
	if url := found["github.com/pods-service/pods/cluster"]; url != "pkg:golang/github.com/pods-service/pods/cluster@1.2.3" {
		t.Errorf("a module of the repository is %q", url)
	}
}

func TestWriteComponent(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		registry string
		byDigest bool
		want     string
	}{
		"Local":    {"", false, "  - name: dev.local/pods-api\n    newName: dev.local/pods-api\n    newTag: 1.2.3-"},
		"Registry": {"registry.example.org/team", true, "  - name: dev.local/pods-api\n    newName: registry.example.org/team/pods-api\n    digest: sha256:"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			image, err := newBuilder(t, tc.registry).image(program{"functions/api", nil}, thisProgram(t))
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "kustomization.yaml")
			if err := writeComponent(file, []built{image}, tc.byDigest); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(file); err != nil || !strings.Contains(string(got), tc.want) {
				t.Errorf("%s (%v), want %q in it", got, err, tc.want)
			}
		})
	}
}
