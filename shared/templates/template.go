package templates

import (
	"context"
	"time"

	"github.com/pods-service/pods/shared/pods"
)

// Profile says how far the defaults of a container's security are relaxed.
type Profile string

// The profiles.
const (
	// ProfileRestricted grants the container no capability at all.
	ProfileRestricted Profile = "restricted"
	// ProfileRoot is for images that start as root, set up their files and
	// then change to a user of their own.
	ProfileRoot Profile = "root"
)

// Template is a named group of tags.
type Template struct {
	ID             string
	Description    string
	Metatags       []string
	ArchiveMessage string
	Profile        Profile
}

// Tag is one version of a template. It never changes once it is made.
type Tag struct {
	Template  Template
	Reference Reference // with its timestamp
	// Definition sets the fields that the template brings; what it leaves out
	// comes from the templates below or from the defaults of a pod.
	Definition    pods.Patch
	CommitMessage string
	Created       time.Time
}

// Source finds the tag a reference names: the exact one, or the newest.
//
// Errors: KindInvalid "Template not found" or "Template tag not found".
type Source interface {
	Tag(ctx context.Context, reference Reference) (Tag, error)
}

// maxDepth bounds the chain of templates below one pod.
const maxDepth = 10

// Resolve follows reference and the templates it builds on and returns their
// tags, the closest to the pod first.
//
// Errors: KindInvalid for a reference that is malformed, names nothing, or
// whose chain loops or is longer than ten.
func Resolve(ctx context.Context, source Source, reference string) ([]Tag, error) {
	var chain []Tag
	seen := map[Reference]bool{}
	for reference != "" {
		parsed, err := Parse(reference)
		if err != nil {
			return nil, err
		}
		tag, err := source.Tag(ctx, parsed)
		if err != nil {
			return nil, err
		}
		if seen[tag.Reference] {
			return nil, pods.Invalid("Infinite loop detected: template %s is referenced more than once in template waterfall.", tag.Reference)
		}
		if len(chain) == maxDepth {
			return nil, pods.Invalid("Template %s builds on more than %d templates.", chain[0].Reference, maxDepth-1)
		}
		seen[tag.Reference] = true
		chain = append(chain, tag)
		reference = tag.Definition.Template.Value
	}
	return chain, nil
}
