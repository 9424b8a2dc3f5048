package document

import (
	"fmt"
	"io/fs"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/templates"
)

// templateFile is one file of the templates that the service ships.
type templateFile struct {
	TemplateID  string            `json:"template_id"`
	Description string            `json:"description"`
	Metatags    []string          `json:"metatags"`
	Profile     templates.Profile `json:"profile"`
	Tags        []struct {
		Tag           string         `json:"tag"`
		Created       time.Time      `json:"created"`
		CommitMessage string         `json:"commit_message"`
		PodDefinition map[string]any `json:"pod_definition"`
	} `json:"tags"`
}

// shippedBy is who has added the tags that the service ships.
const shippedBy = "system"

// LoadTemplates reads every YAML file in fsys as a template with its tags, and
// checks each tag by rules and that its chain of templates resolves.
//
// Errors: naming the file and what is wrong in it.
func LoadTemplates(fsys fs.FS, rules pods.Rules) (*templates.Catalog, error) {
	names, err := fs.Glob(fsys, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list templates: %w", err)
	}
	var tags []templates.Tag
	for _, name := range names {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("read template %s: %w", name, err)
		}
		loaded, err := loadTemplate(data, rules)
		if err != nil {
			return nil, fmt.Errorf("template %s: %w", name, err)
		}
		tags = append(tags, loaded...)
	}
	return templates.NewCatalog(tags)
}

func loadTemplate(data []byte, rules pods.Rules) ([]templates.Tag, error) {
	var file templateFile
	if err := yaml.UnmarshalStrict(data, &file); err != nil {
		return nil, fmt.Errorf("read YAML: %w", err)
	}
	if file.Profile != templates.ProfileRestricted && file.Profile != templates.ProfileRoot {
		return nil, fmt.Errorf("profile %q is neither restricted nor root", file.Profile)
	}
	template := templates.Template{
		ID: file.TemplateID, Description: file.Description, Metatags: file.Metatags, Profile: file.Profile,
		Permissions: permissions.Set{{User: permissions.KeyEverybody, Level: permissions.Read}},
	}
	var tags []templates.Tag
	for _, t := range file.Tags {
		reference, err := templates.Parse(file.TemplateID + ":" + t.Tag + "@" + templates.Timestamp(t.Created))
		if err != nil {
			return nil, err
		}
		definition, err := yaml.Marshal(t.PodDefinition)
		if err != nil {
			return nil, fmt.Errorf("tag %s: %w", t.Tag, err)
		}
		patch, err := Definition(definition, rules)
		if err != nil {
			return nil, fmt.Errorf("tag %s: %w", t.Tag, err)
		}
		tags = append(tags, templates.Tag{
			Template: template, Reference: reference, Definition: patch,
			CommitMessage: t.CommitMessage, AddedBy: shippedBy, Created: t.Created,
		})
	}
	return tags, nil
}

// Definition reads the pod definition of a template tag, JSON or YAML, and
// checks it by rules. Fields that are empty count as left out.
//
// Errors: KindInvalid naming every field at fault.
func Definition(data []byte, rules pods.Rules) (pods.Patch, error) {
	data, err := yaml.YAMLToJSON(data)
	if err != nil {
		return pods.Patch{}, pods.Invalid("pod_definition is not valid: %v", err)
	}
	var errs []pods.FieldError
	patch := parse(data, []string{"body", "pod_definition"}, &errs).podDefinition()
	return patch, Both(pods.InvalidFields(errs), rules.CheckDefinition(patch))
}

// podDefinition reads what a tag brings. The defaults of the fields, which
// clients send back as they were shown, count as left out.
func (o object) podDefinition() pods.Patch {
	for key, raw := range o.fields {
		switch string(raw) {
		case "null", `""`, "{}":
			delete(o.fields, key)
		}
	}
	patch := o.definition()
	patch.ComputeQueue.Set = patch.ComputeQueue.Set && patch.ComputeQueue.Value != "default"
	o.close()
	return patch
}
