package images

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// entry is one member of the layer: a folder, or a file with its source.
type entry struct {
	header tar.Header
	source string
}

// readEntries returns the folders and files of the layer in a fixed order.
func readEntries(files []File, writable []string) ([]entry, error) {
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
	for _, folder := range writable {
		name := strings.Trim(path.Clean(folder), "/") + "/"
		if !path.IsAbs(folder) || name == "/" {
			return nil, fmt.Errorf("folder %q must be an absolute path below the root", folder)
		}
		entry := entry{header: header(tar.TypeDir, name, 0)}
		entry.header.Mode = 0o1777
		byName[name] = entry
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
