package images

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// Runtime is a container runtime that images are loaded into.
type Runtime struct {
	Client string // path of the program ctr
	Socket string // of containerd
}

// Load imports an image file and returns the names of the images in it.
// Kubernetes can use them at once, without any registry.
func (r Runtime) Load(ctx context.Context, path string) ([]string, error) {
	names, err := Names(path)
	if err != nil {
		return nil, err
	}
	arguments := []string{"--address", r.Socket, "--namespace", "k8s.io", "images", "import", path}
	command := exec.CommandContext(ctx, r.Client, arguments...) //nolint:gosec // ctr, of this machine
	if output, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("load %s: %w: %s", path, err, bytes.TrimSpace(output))
	}
	return names, nil
}

// maxManifest bounds what is read of an image's list of contents, in bytes.
const maxManifest = 4 << 20

// Names returns the names of the images in an image file, as docker save and
// Write make them, or nothing for a file in the OCI layout without names.
func Names(path string) ([]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var names []string
	archive := tar.NewReader(file)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return names, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s is not an image file: %w", path, err)
		}
		found, err := namesIn(header.Name, io.LimitReader(archive, maxManifest))
		if err != nil {
			return nil, fmt.Errorf("%s in %s: %w", header.Name, path, err)
		}
		if len(names) == 0 {
			names = found
		}
	}
}

// namesIn reads the image names out of a member of an image file. Most members
// have none.
func namesIn(member string, content io.Reader) ([]string, error) {
	var names []string
	switch member {
	case "manifest.json":
		var images []struct{ RepoTags []string }
		if err := json.NewDecoder(content).Decode(&images); err != nil {
			return nil, err
		}
		for _, image := range images {
			names = append(names, image.RepoTags...)
		}
	case "index.json":
		var index struct {
			Manifests []struct{ Annotations map[string]string }
		}
		if err := json.NewDecoder(content).Decode(&index); err != nil {
			return nil, err
		}
		for _, manifest := range index.Manifests {
			if name := manifest.Annotations["io.containerd.image.name"]; name != "" {
				names = append(names, name)
			}
		}
	}
	return names, nil
}
