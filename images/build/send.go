package main

import (
	"context"
	"fmt"
	"os"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// partsType is the media type of a list of parts.
const partsType types.MediaType = "application/vnd.cyclonedx+json"

// send puts an image into its registry and, referring to it, the list of its
// parts. Who may do so is found as docker does: in ~/.docker/config.json.
func (b builder) send(ctx context.Context, image built) error {
	packed, err := tarball.ImageFromPath(image.tar, &image.tag)
	if err != nil {
		return err
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	if err := remote.Write(image.tag, packed, options...); err != nil {
		return err
	}
	parts, err := os.ReadFile(partsFile(image.tar))
	if err != nil {
		return err
	}
	attached, digest, err := attachment(packed, parts)
	if err != nil {
		return fmt.Errorf("pack the list of parts: %w", err)
	}
	if err := remote.Write(image.tag.Digest(digest.String()), attached, options...); err != nil {
		return fmt.Errorf("send the list of parts: %w", err)
	}
	fmt.Fprintf(b.log, "sent %s\n", image.tag.Digest(image.digest.String()))
	return nil
}

// attachment returns what says, in a registry, that these are the parts of
// image, and its digest.
func attachment(image v1.Image, parts []byte) (v1.Image, v1.Hash, error) {
	subject, err := partial.Descriptor(image)
	if err != nil {
		return nil, v1.Hash{}, err
	}
	list, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1),
		mutate.Addendum{Layer: static.NewLayer(parts, partsType), MediaType: partsType})
	if err != nil {
		return nil, v1.Hash{}, err
	}
	attached := mutate.Subject(mutate.ConfigMediaType(list, partsType), *subject).(v1.Image)
	digest, err := attached.Digest()
	return attached, digest, err
}
