package images

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pods-service/pods/shared/pods"
)

// Source holds the entries that site admins have made.
type Source interface {
	// Image returns the entry with the key.
	//
	// Errors: KindNotFound.
	Image(ctx context.Context, key string) (Image, error)
}

// Allowlist decides by the configured images, which every tenant may run, and by
// the entries of a Source.
type Allowlist struct {
	configured map[string]Image // by key
	main       []string
	source     Source
}

// NewAllowlist returns a list of the given images and of what source holds. Tags
// and digests do not matter. Main names the tenants that "*" stands for; without
// any it stands for all.
//
// Errors: KindInvalid for a text that names no image.
func NewAllowlist(source Source, main []string, configured ...string) (*Allowlist, error) {
	a := &Allowlist{configured: map[string]Image{}, main: main, source: source}
	for _, text := range configured {
		image, err := New(text)
		if err != nil {
			return nil, err
		}
		image.Tenants, image.AddedBy, image.Description = []string{"**"}, System, "(from config)"
		image.CreationTS = time.Unix(0, 0)
		a.configured[image.Key] = image
	}
	return a, nil
}

// Configured lists the configured images by their names.
func (a *Allowlist) Configured() []Image {
	return slices.SortedFunc(maps.Values(a.configured), func(x, y Image) int { return strings.Compare(x.Key, y.Key) })
}

// IsConfigured reports whether the image with the key is a configured one.
func (a *Allowlist) IsConfigured(key string) bool {
	_, found := a.configured[key]
	return found
}

// IsFor reports whether users of the tenant may run image.
func (a *Allowlist) IsFor(image Image, tenantID string) bool {
	return image.IsFor(tenantID, len(a.main) == 0 || slices.Contains(a.main, tenantID))
}

// Find returns the entry for the image that text names.
//
// Errors: KindInvalid for a text that names no image, KindNotFound.
func (a *Allowlist) Find(ctx context.Context, text string) (Image, error) {
	key, err := Key(text)
	if err != nil {
		return Image{}, err
	}
	if image, found := a.configured[key]; found {
		return image, nil
	}
	return a.source.Image(ctx, key)
}

// Check returns nil when users of the tenant may run image.
//
// Errors: KindInvalid.
func (a *Allowlist) Check(ctx context.Context, tenantID, image string) error {
	entry, err := a.Find(ctx, image)
	switch pods.KindOf(err) {
	case "":
		if a.IsFor(entry, tenantID) {
			return nil
		}
	case pods.KindInvalid:
		return invalidImage(err.Error())
	case pods.KindNotFound:
	default:
		return err
	}
	return invalidImage(fmt.Sprintf("Custom pod.image images must be in allowlist. Received: %s", nameOf(image)))
}

func invalidImage(message string) error {
	return pods.InvalidFields([]pods.FieldError{{Location: []string{"body", "image"}, Message: message}})
}
