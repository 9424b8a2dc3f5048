package server

import (
	"context"
	"strings"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/document"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/rest"
	"github.com/pods-service/pods/shared/templates"
)

// listTemplateTags serves GET /pods/templates/{template_id}/tags, the newest
// first. With include_dependencies each says what is made of it.
func (s *Server) listTemplateTags(ctx context.Context, req *rest.Request) (rest.Result, error) {
	return s.showTags(ctx, req, "Template tags retrieved successfully.", func(templates.Tag) bool { return true })
}

// getTemplateTag serves GET /pods/templates/{template_id}/tags/{tag_id}: all
// tags of that name, or the one that tag@timestamp names; a list that may be
// empty.
func (s *Server) getTemplateTag(ctx context.Context, req *rest.Request) (rest.Result, error) {
	name, timestamp, isExact := strings.Cut(req.PathValue("tag_id"), "@")
	return s.showTags(ctx, req, "Template tags retrieved and filtered successfully.", func(tag templates.Tag) bool {
		return tag.Reference.Tag == name && (!isExact || tag.Reference.Timestamp == timestamp)
	})
}

func (s *Server) showTags(ctx context.Context, req *rest.Request, message string, isWanted func(templates.Tag) bool) (rest.Result, error) {
	full, err := req.QueryFlag("full", true)
	if err != nil {
		return rest.Result{}, err
	}
	withDependents, err := req.QueryFlag("include_dependencies", false)
	if err != nil {
		return rest.Result{}, err
	}
	template, err := s.loadTemplate(ctx, req)
	if err != nil {
		return rest.Result{}, err
	}
	tags, err := s.Store.Tags(ctx, template.ID)
	if err != nil {
		return rest.Result{}, err
	}
	shown := []client.TemplateTag{}
	var references []templates.Reference
	for _, tag := range tags {
		if isWanted(tag) {
			shown = append(shown, client.FromTag(tag, full))
			references = append(references, tag.Reference)
		}
	}
	if withDependents {
		if err := s.addDependents(ctx, req.Caller, shown, references); err != nil {
			return rest.Result{}, err
		}
	}
	return rest.Result{Message: message, Value: shown}, nil
}

// addDependents adds to each of shown what is made of the tag that the reference
// in its place names, as far as caller may see that.
func (s *Server) addDependents(ctx context.Context, caller pods.Caller, shown []client.TemplateTag, references []templates.Reference) error {
	found, err := s.Store.Dependents(ctx, references)
	if err != nil {
		return err
	}
	ownPods, _, err := s.visiblePods(ctx, caller)
	if err != nil {
		return err
	}
	ownTemplates, _, err := s.visibleTemplates(ctx, caller)
	if err != nil {
		return err
	}
	isVisible := map[string]bool{} // uids of pods and ids of templates, which have no hyphen
	for _, pod := range ownPods {
		isVisible[pod.UID] = true
	}
	for _, template := range ownTemplates {
		isVisible[template.ID] = true
	}
	for i, reference := range references {
		shown[i].Dependents = visibleDependents(found[reference.String()], isVisible)
	}
	return nil
}

func visibleDependents(all postgres.Dependents, isVisible map[string]bool) *client.Dependents {
	dependents := &client.Dependents{Pods: []string{}, Tags: []string{}}
	for _, ref := range all.Pods {
		if isVisible[ref.UID] {
			dependents.Pods = append(dependents.Pods, ref.PodID)
		}
	}
	for _, tag := range all.Tags {
		if isVisible[tag.TemplateID] {
			dependents.Tags = append(dependents.Tags, tag.String())
		}
	}
	return dependents
}

// addTemplateTag serves POST /pods/templates/{template_id}/tags. The template
// that the definition builds on is fixed to the version it means now.
//
// Errors: KindInvalid for fields, or when what the definition builds on is not
// there or may not be used; KindConflict for the same tag in the same second.
func (s *Server) addTemplateTag(ctx context.Context, req *rest.Request) (rest.Result, error) {
	data, err := req.ReadJSON()
	if err != nil {
		return rest.Result{}, err
	}
	template, err := s.loadTemplate(ctx, req) // whether the caller may is said before what is wrong
	if err != nil {
		return rest.Result{}, err
	}
	sent, err := document.TemplateTag(data, s.Rules)
	if err != nil {
		return rest.Result{}, err
	}
	return s.addTag(ctx, req.Caller, template.ID, sent)
}

// addTag stores a tag of a template on which the caller needs USER.
func (s *Server) addTag(ctx context.Context, caller pods.Caller, templateID string, sent document.NewTag) (rest.Result, error) {
	reference := templates.Reference{TemplateID: templateID, Tag: sent.Tag}
	if base := sent.Definition.Template.Value; base != "" {
		pinned, chain, err := s.Deriver.Pin(ctx, caller, base)
		if err != nil {
			return rest.Result{}, err
		}
		if len(chain) >= templates.MaxDepth {
			return rest.Result{}, templates.TooDeep(reference)
		}
		sent.Definition.Template.Value = pinned
	}
	tag := templates.Tag{
		Reference: reference, Definition: sent.Definition, CommitMessage: sent.CommitMessage, AddedBy: caller.Username,
	}
	added, err := s.Store.AddTag(ctx, tag, func(template templates.Template) error {
		return permissions.Check(caller, template.Object(), permissions.User)
	})
	if err != nil {
		return rest.Result{}, err
	}
	return rest.Result{Message: "Template tag added successfully.", Value: client.FromTag(added, true)}, nil
}

// savePodAsTemplateTag serves POST /pods/{pod_id}/save_pod_as_template_tag: what
// the user has set of the pod becomes a tag of a template on which they have
// USER.
//
// Errors: KindInvalid for fields; KindNotFound for the template; KindForbidden
// for a level below USER on it.
func (s *Server) savePodAsTemplateTag(ctx context.Context, req *rest.Request) (rest.Result, error) {
	data, err := req.ReadJSON()
	if err != nil {
		return rest.Result{}, err
	}
	// Clients may name one of the pod's networking entries, as in its address.
	podID, _, _ := strings.Cut(req.PathValue("pod_id"), "-")
	req.SetPathValue("pod_id", podID)
	pod, _, err := s.load(ctx, req)
	if err != nil {
		return rest.Result{}, err
	}
	sent, err := document.TemplateTagFromPod(data)
	if err != nil {
		return rest.Result{}, err
	}
	sent.Definition = pod.Definition()
	return s.addTag(ctx, req.Caller, sent.TemplateID, sent)
}

// deleteTemplateTag serves DELETE /pods/templates/{template_id}/tags/{tag_id}.
//
// Errors: KindInvalid for a name that several tags have; KindConflict for a tag
// that is used, unless force is set.
func (s *Server) deleteTemplateTag(ctx context.Context, req *rest.Request) (rest.Result, error) {
	isForced, err := req.QueryFlag("force", false)
	if err != nil {
		return rest.Result{}, err
	}
	name, timestamp, _ := strings.Cut(req.PathValue("tag_id"), "@")
	reference := templates.Reference{TemplateID: req.PathValue("template_id"), Tag: name, Timestamp: timestamp}
	if err := s.Store.DeleteTag(ctx, reference, isForced, admits(req)); err != nil {
		return rest.Result{}, err
	}
	return rest.Result{Message: "Template tag successfully deleted.", Value: ""}, nil
}
