package templates

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/pods-service/pods/shared/pods"
)

// Catalog is a Source held in memory, such as the templates the service ships.
// It does not change once made, so any number of callers may read it.
type Catalog struct {
	templates map[string]Template
	tags      map[string][]Tag // by template id, newest first
}

// NewCatalog returns the catalog of the given tags and their templates.
//
// Errors: KindInvalid when two tags of one template share tag and timestamp.
func NewCatalog(tags []Tag) (*Catalog, error) {
	c := &Catalog{templates: map[string]Template{}, tags: map[string][]Tag{}}
	seen := map[Reference]bool{}
	for _, tag := range tags {
		if seen[tag.Reference] {
			return nil, pods.Invalid("Template tag %s is there twice.", tag.Reference)
		}
		seen[tag.Reference] = true
		id := tag.Template.ID
		c.templates[id] = tag.Template
		c.tags[id] = append(c.tags[id], tag)
	}
	for id := range c.tags {
		slices.SortStableFunc(c.tags[id], func(a, b Tag) int { return strings.Compare(b.Reference.Timestamp, a.Reference.Timestamp) })
	}
	return c, nil
}

// Tag implements Source.
func (c *Catalog) Tag(_ context.Context, reference Reference) (Tag, error) {
	if _, found := c.templates[reference.TemplateID]; !found {
		return Tag{}, Unknown(reference.TemplateID)
	}
	for _, tag := range c.tags[reference.TemplateID] {
		if tag.Reference.Tag == reference.Tag && (reference.Timestamp == "" || tag.Reference.Timestamp == reference.Timestamp) {
			return tag, nil
		}
	}
	return Tag{}, UnknownTag(reference)
}

// Tags lists all tags, those of one template together, newest first.
func (c *Catalog) Tags() []Tag {
	var all []Tag
	for _, template := range c.Templates() {
		all = append(all, c.tags[template.ID]...)
	}
	return all
}

// Templates lists the templates by id.
func (c *Catalog) Templates() []Template {
	return slices.SortedFunc(maps.Values(c.templates), func(a, b Template) int { return strings.Compare(a.ID, b.ID) })
}

// Images lists the images that the tags name, each once.
func (c *Catalog) Images() []string {
	images := map[string]bool{}
	for _, tags := range c.tags {
		for _, tag := range tags {
			if image := tag.Definition.Image.Value; image != "" {
				images[image] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(images))
}
