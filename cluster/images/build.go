// Package images builds container images without a registry and loads them
// into the cluster.
package images

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/compression"
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
}

// File is a file of this machine and its place in the image. It may be run and
// read by everyone there.
type File struct {
	Source      string
	Destination string // absolute
}

// Write builds the image and writes it to the file target, for Load or docker
// load. The same files give the same bytes, whenever and wherever it runs.
func Write(spec Spec, target string) error {
	tag, err := name.NewTag(spec.Name)
	if err != nil {
		return fmt.Errorf("image name: %w", err)
	}
	image, err := build(spec)
	if err != nil {
		return fmt.Errorf("image %s: %w", spec.Name, err)
	}
	// Written aside and renamed: a half-written image must not look like one.
	temporary := target + ".new"
	if err := tarball.WriteToFile(temporary, tag, image); err != nil {
		return errors.Join(fmt.Errorf("write image %s: %w", spec.Name, err), os.Remove(temporary))
	}
	if err := os.Rename(temporary, target); err != nil {
		return fmt.Errorf("write image %s: %w", spec.Name, err)
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
	entries, err := readEntries(spec.Files)
	if err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return openLayer(entries), nil }
	// Not compressed: the image goes from this machine to this machine.
	layer, err := tarball.LayerFromOpener(open, tarball.WithCompression(compression.None))
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

// entry is one member of the layer: a folder, or a file with its source.
type entry struct {
	header tar.Header
	source string
}

// readEntries returns the folders and files of the layer in a fixed order.
func readEntries(files []File) ([]entry, error) {
	if len(files) == 0 {
		return nil, errors.New("an image needs at least one file")
	}
	byName := map[string]entry{}
	for _, file := range files {
		info, err := os.Stat(file.Source)
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is not a regular file", file.Source)
		}
		if !path.IsAbs(file.Destination) || strings.HasSuffix(file.Destination, "/") {
			return nil, fmt.Errorf("destination %q must be an absolute path of a file", file.Destination)
		}
		name := strings.TrimPrefix(path.Clean(file.Destination), "/")
		if _, taken := byName[name]; taken {
			return nil, fmt.Errorf("destination %q is given twice", file.Destination)
		}
		byName[name] = entry{source: file.Source, header: header(tar.TypeReg, name, info.Size())}
		for folder := path.Dir(name); folder != "."; folder = path.Dir(folder) {
			byName[folder+"/"] = entry{header: header(tar.TypeDir, folder+"/", 0)}
		}
	}
	var entries []entry
	for _, entry := range byName {
		entries = append(entries, entry)
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.header.Name, b.header.Name) })
	return entries, nil
}

// header leaves out all that differs from one machine or moment to another.
func header(kind byte, name string, size int64) tar.Header {
	return tar.Header{Typeflag: kind, Name: name, Size: size, Mode: 0o755, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
}

// openLayer packs the entries while they are read, so that a large program
// never is in memory as a whole.
func openLayer(entries []entry) io.ReadCloser {
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(pack(writer, entries)) }()
	return reader
}

func pack(target io.Writer, entries []entry) error {
	archive := tar.NewWriter(target)
	for _, entry := range entries {
		if err := archive.WriteHeader(&entry.header); err != nil {
			return fmt.Errorf("pack %s: %w", entry.header.Name, err)
		}
		if entry.source == "" {
			continue
		}
		if err := packFile(archive, entry.source); err != nil {
			return fmt.Errorf("pack %s: %w", entry.source, err)
		}
	}
	return archive.Close()
}

func packFile(archive io.Writer, source string) error {
	file, err := os.Open(source)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(archive, file)
	return err
}
