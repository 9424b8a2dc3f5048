package templates

import (
	"context"
	"slices"
	"time"

	"github.com/pods-service/pods/shared/permissions"
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

// Template is a named group of tags. Its name is unique in all tenants; who may
// use it is for its permissions to say.
type Template struct {
	ID             string
	TenantID       string // of who has made it; empty for one that the service ships
	SiteID         string // likewise
	Description    string
	Metatags       []string
	ArchiveMessage string
	Profile        Profile
	Permissions    permissions.Set
	CreationTS     time.Time
	UpdateTS       time.Time
}

// Object returns what access to t is decided by.
func (t Template) Object() permissions.Object {
	return permissions.Object{
		Type: permissions.TemplateType, TenantID: t.TenantID, SiteID: t.SiteID, Set: t.Permissions, Missing: NotFound(t.ID),
	}
}

// NotFound is the error for a template that is not there, and for one that the
// caller may not see.
func NotFound(templateID string) *pods.Error {
	return pods.NotFound("Template with identifier template_id: '%s' not found", templateID)
}

// Unknown is the error for a reference to a template that is not there, or that
// the caller may not see.
func Unknown(templateID string) *pods.Error {
	return pods.Invalid("Template not found: '%s'.", templateID)
}

// UnknownTag is the error for a reference to a tag that is not there.
func UnknownTag(reference Reference) *pods.Error {
	return pods.Invalid("Template tag not found: '%s'.", reference)
}

// Tag is one version of a template. It never changes once it is made.
type Tag struct {
	Template  Template
	Reference Reference // with its timestamp
	// Definition sets the fields that the template brings; what it leaves out
	// comes from the templates below or from the defaults of a pod.
	Definition    pods.Patch
	CommitMessage string
	AddedBy       string // a user's name
	Created       time.Time
}

// Source finds the tag a reference names: the exact one, or the newest.
//
// Errors: Unknown and UnknownTag.
type Source interface {
	Tag(ctx context.Context, reference Reference) (Tag, error)
}

// MaxDepth bounds the chain of templates below one pod.
const MaxDepth = 10

// TooDeep is the error for a template whose chain is longer than MaxDepth.
func TooDeep(reference Reference) *pods.Error {
	return pods.Invalid("Template %s builds on more than %d templates.", reference, MaxDepth-1)
}

// Resolve follows reference and the templates it builds on and returns their
// tags, the closest to the pod first.
//
// Errors: KindInvalid for a reference that is malformed, names nothing, or
// whose chain loops or is longer than ten.
func Resolve(ctx context.Context, source Source, reference string) ([]Tag, error) {
	var chain []Tag
	for reference != "" {
		parsed, err := Parse(reference)
		if err != nil {
			return nil, err
		}
		tag, err := source.Tag(ctx, parsed)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(chain, func(t Tag) bool { return t.Reference == tag.Reference }) {
			return nil, pods.Invalid("Infinite loop detected: template %s is referenced more than once in template waterfall.", tag.Reference)
		}
		if len(chain) == MaxDepth {
			return nil, TooDeep(chain[0].Reference)
		}
		chain = append(chain, tag)
		reference = tag.Definition.Template.Value
	}
	return chain, nil
}
