package images

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Extract writes the program that is at the absolute path inside an image to
// the file target. The image is one of those in an image file.
func Extract(file, image, inside, target string) error {
	tag, err := name.NewTag(image)
	if err != nil {
		return fmt.Errorf("image name: %w", err)
	}
	found, err := tarball.ImageFromPath(file, &tag)
	if err != nil {
		return fmt.Errorf("find image %s in %s: %w", image, file, err)
	}
	content := mutate.Extract(found)
	defer func() { _ = content.Close() }()
	archive := tar.NewReader(content)
	for {
		header, err := archive.Next()
		if err != nil {
			return fmt.Errorf("find %s in image %s: %w", inside, image, err)
		}
		name := path.Join("/", header.Name) //nolint:gosec // compared, not opened
		if name == inside && header.Typeflag == tar.TypeReg {
			return writeProgram(target, archive)
		}
	}
}

// writeProgram writes aside and renames: half a program must not look like one.
func writeProgram(target string, content io.Reader) error {
	temporary := target + ".new"
	file, err := os.OpenFile(temporary, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755) //nolint:gosec // a program for everyone
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(temporary, target)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", target, err), os.Remove(temporary))
	}
	return nil
}
