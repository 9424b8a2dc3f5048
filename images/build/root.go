package main

import (
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// packRoot writes an image that holds a whole root file system, the tar archive
// root, to the file target. Its layer is compressed for speed: such images go to
// the cluster on this machine and nowhere else. stopSignal ends the entrypoint;
// empty means SIGTERM.
func packRoot(image, entrypoint, stopSignal, root, target string) error {
	tag, err := name.NewTag(image)
	if err != nil {
		return err
	}
	if !path.IsAbs(entrypoint) {
		return fmt.Errorf("the entrypoint %q must be an absolute path", entrypoint)
	}
	layer, err := tarball.LayerFromFile(root, tarball.WithCompressionLevel(gzip.BestSpeed), tarball.WithCompressedCaching)
	if err != nil {
		return fmt.Errorf("pack %s: %w", root, err)
	}
	packed, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return err
	}
	config, err := packed.ConfigFile()
	if err != nil {
		return err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config = v1.Config{
		Entrypoint: []string{entrypoint}, User: user, WorkingDir: "/", StopSignal: stopSignal,
		Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"},
	}
	if packed, err = mutate.ConfigFile(packed, config); err != nil {
		return err
	}
	// Written aside and renamed: a half-written image must not look like one.
	temporary := target + ".new"
	if err := tarball.WriteToFile(temporary, tag, packed); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", target, err), os.Remove(temporary))
	}
	return os.Rename(temporary, target)
}
