package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/pods-service/pods/cluster/images"
)

// localRegistry is the part before the names of images that no registry has.
// Knative asks no registry about it either.
const localRegistry = "dev.local"

// user is what every program runs as: a number, so that Kubernetes can tell that
// it is not root.
const user = "65532"

// builder makes the images of all programs in the folder out: NAME.tar, and
// NAME.cdx.json with what went into it.
type builder struct {
	out      string
	version  string
	registry string // empty: dev.local, and nothing is sent
	log      io.Writer
}

// built is a finished image.
type built struct {
	program string
	tag     name.Tag
	tar     string
	digest  v1.Hash
}

func (b builder) build(ctx context.Context) error {
	binaries := filepath.Join(b.out, "programs")
	if err := compile(ctx, binaries, b.version); err != nil {
		return err
	}
	list := make([]built, len(programs))
	for i, p := range programs {
		image, err := b.image(p, filepath.Join(binaries, p.name()))
		if err != nil {
			return fmt.Errorf("image of %s: %w", p.name(), err)
		}
		if b.registry != "" {
			if err := b.send(ctx, image); err != nil {
				return fmt.Errorf("send %s: %w", image.tag, err)
			}
		}
		list[i] = image
	}
	return writeComponent(filepath.Join(b.out, "kustomization.yaml"), list, b.registry != "")
}

// image packs a program, unless that has been done. The tag holds the version
// and a hash of the program: one tag never means two images.
func (b builder) image(p program, binary string) (built, error) {
	hash, err := fingerprint(binary)
	if err != nil {
		return built{}, err
	}
	registry := b.registry
	if registry == "" {
		registry = localRegistry
	}
	tag, err := name.NewTag(fmt.Sprintf("%s/pods-%s:%s-%s", registry, p.name(), b.version, hash))
	if err != nil {
		return built{}, err
	}
	result := built{program: p.name(), tag: tag, tar: filepath.Join(b.out, p.name()+".tar")}
	if !holds(result.tar, tag) {
		if err := b.pack(p, binary, result); err != nil {
			return built{}, err
		}
		fmt.Fprintf(b.log, "built %s\n", tag)
	}
	image, err := tarball.ImageFromPath(result.tar, &tag)
	if err != nil {
		return built{}, err
	}
	result.digest, err = image.Digest()
	return result, err
}

// pack writes the list of parts first: the image is what tells that both are
// there.
func (b builder) pack(p program, binary string, result built) error {
	parts, err := partsOf(binary, "pods-"+p.name(), b.version)
	if err != nil {
		return err
	}
	if err := os.WriteFile(partsFile(result.tar), parts, 0o600); err != nil {
		return err
	}
	return images.Write(images.Spec{
		Name: result.tag.String(), Entrypoint: []string{"/" + p.name()}, User: user, Ports: p.ports,
		Labels: map[string]string{"org.opencontainers.image.version": b.version},
		Files:  []images.File{{Source: binary, Destination: "/" + p.name()}},
	}, result.tar)
}

// holds reports whether the file is an image of that name.
func holds(tar string, tag name.Tag) bool {
	names, err := images.Names(tar)
	return err == nil && len(names) == 1 && names[0] == tag.String()
}

func partsFile(tar string) string {
	return tar[:len(tar)-len(filepath.Ext(tar))] + ".cdx.json"
}
