package client

import (
	"github.com/pods-service/pods/shared/client/api"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/templates"
)

// Template is a template as the API shows it.
type Template = api.TemplateResponseModel

// FromTemplate returns template as the API shows it, without its permissions.
func FromTemplate(template templates.Template) Template {
	return Template{
		TemplateID: template.ID, Description: template.Description, Metatags: append([]string{}, template.Metatags...),
		ArchiveMessage: template.ArchiveMessage, CreationTS: Time{Time: template.CreationTS}, UpdateTS: Time{Time: template.UpdateTS},
		TenantID: template.TenantID, SiteID: template.SiteID,
	}
}

// TemplateAndTags is a template with its tags, the newest first.
type TemplateAndTags struct {
	Template
	Tags []TemplateTag `json:"tags"`
}

// TemplateTag is one version of a template as the API shows it.
type TemplateTag struct {
	TemplateID    string `json:"template_id,omitempty"` // like the definition not in short lists
	Tag           string `json:"tag"`
	TagTimestamp  string `json:"tag_timestamp"` // "<tag>@YYYY-MM-DD-HH:MM:SS", UTC
	CommitMessage string `json:"commit_message"`
	AddedBy       string `json:"added_by"`
	CreationTS    Time   `json:"creation_ts"`

	PodDefinition *PodDefinition `json:"pod_definition,omitempty"`
	Dependents    *Dependents    `json:"dependents,omitempty"`
}

// Dependents names what is made of a tag, as far as the caller may see it.
type Dependents struct {
	Pods []string `json:"dependant_pods"` // ids
	Tags []string `json:"dependant_tags"` // "<template>:<tag>@<timestamp>"
}

// PodDefinition is what a template brings to a pod. What it leaves out is null,
// or empty for maps.
type PodDefinition struct {
	Image                *string                      `json:"image"`
	Template             *string                      `json:"template"`
	Description          *string                      `json:"description"`
	Command              []string                     `json:"command"`
	Arguments            []string                     `json:"arguments"`
	EnvironmentVariables map[string]string            `json:"environment_variables"`
	VolumeMounts         map[string]*pods.VolumeMount `json:"volume_mounts"`
	TimeToStopDefault    *int64                       `json:"time_to_stop_default"`
	TimeToStopInstance   *int64                       `json:"time_to_stop_instance"`
	Networking           map[string]pods.Networking   `json:"networking"`
	Resources            pods.Resources               `json:"resources"`
	ComputeQueue         string                       `json:"compute_queue"`
}

// FromTag returns tag as the API shows it; what it defines is left out unless
// full.
func FromTag(tag templates.Tag, full bool) TemplateTag {
	shown := TemplateTag{
		Tag: tag.Reference.Tag, TagTimestamp: tag.Reference.Tag + "@" + tag.Reference.Timestamp,
		CommitMessage: tag.CommitMessage, AddedBy: tag.AddedBy, CreationTS: Time{Time: tag.Created},
	}
	if full {
		shown.TemplateID, shown.PodDefinition = tag.Reference.TemplateID, fromDefinition(tag.Definition)
	}
	return shown
}

func fromDefinition(definition pods.Patch) *PodDefinition {
	shown := &PodDefinition{
		Image:                pointer(definition.Image),
		Template:             pointer(definition.Template),
		Description:          pointer(definition.Description),
		Command:              definition.Command.Value,
		Arguments:            definition.Arguments.Value,
		EnvironmentVariables: orEmpty(definition.EnvironmentVariables.Value),
		VolumeMounts:         orEmpty(definition.VolumeMounts.Value),
		TimeToStopDefault:    pointer(definition.TimeToStopDefault),
		TimeToStopInstance:   definition.TimeToStopInstance.Value,
		Networking:           orEmpty(definition.Networking.Value),
		Resources:            definition.Resources.Value,
		ComputeQueue:         "default",
	}
	if definition.ComputeQueue.Set {
		shown.ComputeQueue = definition.ComputeQueue.Value
	}
	return shown
}

func pointer[T any](value pods.Optional[T]) *T {
	if !value.Set {
		return nil
	}
	return &value.Value
}
