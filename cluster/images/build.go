// Package images builds container images without a registry and loads them
// into the cluster.
package images

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Spec describes an image that holds nothing but the given files: usually one
// statically linked program.
type Spec struct {
	Name       string   // with a tag: dev.local/hello:1
	Entrypoint []string // the program and its first arguments
	User       string   // numeric, so that Kubernetes can tell it is not root
	Env        []string // KEY=value
	Ports      []string // 8080, 8080/tcp or 53/udp; documentation only
	Labels     map[string]string
	Files      []File
	Writable   []string // folders that everyone may write to, as /tmp
}

// File is a file of this machine and its place in the image. It may be run and
// read by everyone there.
type File struct {
	Source      string
	Destination string // absolute
}

// Write builds the image and writes it to the file target, for Load or docker
// load. The same files give the same bytes, whenever and wherever it runs.
func Write(spec Spec, target string) error { return WriteAll([]Spec{spec}, target) }

// WriteAll is Write for several images in one file. Their order in it may differ
// from one time to the next.
func WriteAll(specs []Spec, target string) error {
	all := map[name.Tag]v1.Image{}
	for _, spec := range specs {
		tag, err := name.NewTag(spec.Name)
		if err != nil {
			return fmt.Errorf("image name: %w", err)
		}
		if all[tag] != nil {
			return fmt.Errorf("image %s is there twice", spec.Name)
		}
		if all[tag], err = build(spec); err != nil {
			return fmt.Errorf("image %s: %w", spec.Name, err)
		}
	}
	// Written aside and renamed: a half-written image must not look like one.
	temporary := target + ".new"
	if err := tarball.MultiWriteToFile(temporary, all); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", target, err), os.Remove(temporary))
	}
	if err := os.Rename(temporary, target); err != nil {
		return fmt.Errorf("write %s: %w", target, err)
	}
	return nil
}

func build(spec Spec) (v1.Image, error) {
	if len(spec.Entrypoint) == 0 || !path.IsAbs(spec.Entrypoint[0]) {
		return nil, errors.New("the entrypoint must be the absolute path of a program in the image")
	}
	ports, err := ports(spec.Ports)
	if err != nil {
		return nil, err
	}
	entries, err := readEntries(spec.Files, spec.Writable)
	if err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return openLayer(entries), nil }
	// Compressed, as it is by default: containerd loads that faster than what is
	// three times as large.
	layer, err := tarball.LayerFromOpener(open)
	if err != nil {
		return nil, fmt.Errorf("pack the files: %w", err)
	}
	image, err := mutate.Append(empty.Image, mutate.Addendum{Layer: layer, History: v1.History{CreatedBy: "cluster image"}})
	if err != nil {
		return nil, fmt.Errorf("add the files: %w", err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", runtime.GOARCH
	file.Config = v1.Config{
		Entrypoint:   spec.Entrypoint,
		User:         spec.User,
		Env:          spec.Env,
		ExposedPorts: ports,
		Labels:       spec.Labels,
		WorkingDir:   "/",
	}
	return mutate.ConfigFile(image, file)
}

// ports writes each port the way an image names it: with its protocol.
func ports(list []string) (map[string]struct{}, error) {
	exposed := map[string]struct{}{}
	for _, port := range list {
		number, protocol, found := strings.Cut(port, "/")
		if !found {
			protocol = "tcp"
		}
		if strings.Trim(number, "0123456789") != "" || number == "" || !slices.Contains([]string{"tcp", "udp", "sctp"}, protocol) {
			return nil, fmt.Errorf("port %q: want a number, or a number with /tcp or /udp", port)
		}
		exposed[number+"/"+protocol] = struct{}{}
	}
	return exposed, nil
}
