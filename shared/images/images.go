// Package images decides which container images a tenant's pods may run.
package images

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"

	"github.com/pods-service/pods/shared/pods"
)

// System is who has added the images that come with the service or with its
// configuration.
const System = "system"

// Image is an entry of the allowlist: an image by its name, whatever its tag or
// digest, and the tenants that may run it.
type Image struct {
	// Key is the full name, "docker.io/library/nginx", which tells entries apart.
	Key string
	// Name is the name as it was given, without tag and digest.
	Name string
	// Tenants holds ids of tenants; "**" stands for all, "*" for the main ones,
	// and "-<tenant>" takes one out. Empty means the tenant TenantID alone.
	Tenants     []string
	Description string
	TenantID    string // of who has added it; empty for System
	AddedBy     string // a user's name, or System
	CreationTS  time.Time
}

// New returns the entry for the image that text names.
//
// Errors: KindInvalid for a text that names no image.
func New(text string) (Image, error) {
	key, err := Key(text)
	name := nameOf(text)
	if _, alone := Key(name); alone != nil {
		name = key // 64 hexadecimal digits name an image with a tag behind them alone
	}
	return Image{Key: key, Name: name, Tenants: []string{}}, err
}

// IsFor reports whether users of the tenant may run the image; isMain says
// whether it is one of the main tenants.
func (i Image) IsFor(tenantID string, isMain bool) bool {
	has := func(entry string) bool { return slices.Contains(i.Tenants, entry) }
	switch {
	case has("-" + tenantID):
		return false
	case has("**"), isMain && has("*"), has(tenantID):
		return true
	}
	return len(i.Tenants) == 0 && i.TenantID == tenantID
}

// Key returns the full name of the image that text names, without tag and
// digest: that of "nginx:1.27" is "docker.io/library/nginx".
//
// Errors: KindInvalid saying what is wrong with the text.
func Key(text string) (string, error) {
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return "", pods.Invalid("'%s' is not the name of an image: %s. Write it as registry/path:tag or path:tag.", text, reason(text))
	}
	return named.Name(), nil
}

// reason says why text names no image.
func reason(text string) string {
	name := nameOf(text)
	switch {
	case name == "":
		return "it is empty"
	case name != strings.ToLower(name):
		return "it must be lowercase"
	case len(name) > reference.RepositoryNameTotalLengthMax:
		return "it is too long"
	}
	return "it is malformed"
}

// HasTag reports whether text names more than the image: a tag or a digest.
func HasTag(text string) bool { return nameOf(text) != text }

// nameOf returns text without its tag and digest. The registry's port, which
// also follows a colon, stays.
func nameOf(text string) string {
	name, _, _ := strings.Cut(text, "@")
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		name = name[:colon]
	}
	return name
}

// Duplicate is the error for an image that is there already. It has the words of
// the database's own message, which clients look for.
func Duplicate(name string, cause error) error {
	return &pods.Error{Kind: pods.KindConflict, Err: cause, Message: fmt.Sprintf(
		`duplicate key value violates unique constraint "image_pkey": image '%s' is already there. `+
			`Nothing was added; use skip_duplicates=True with the bulk endpoint to add the others.`, name)}
}
