// Package images decides which container images a tenant's pods may run.
package images

import (
	"slices"
	"strings"

	"github.com/pods-service/pods/shared/pods"
)

// Name returns image without its tag and digest. The registry's port, which
// also follows a colon, stays.
func Name(image string) string {
	name, _, _ := strings.Cut(image, "@")
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		name = name[:colon]
	}
	return name
}

// Allowlist holds the names of the images that every tenant may run.
type Allowlist struct{ names []string }

// NewAllowlist returns the list of the given images; tags and digests in it do
// not matter.
func NewAllowlist(images ...string) Allowlist {
	names := make([]string, len(images))
	for i, image := range images {
		names[i] = Name(image)
	}
	return Allowlist{names}
}

// Check returns nil when image may run.
//
// Errors: KindInvalid with the names that may.
func (a Allowlist) Check(image string) error {
	if slices.Contains(a.names, Name(image)) {
		return nil
	}
	return pods.InvalidFields([]pods.FieldError{{
		Location: []string{"body", "image"},
		Message:  "Custom pod.image images must be in allowlist. Received: " + Name(image),
	}})
}
