package server

import (
	"context"
	"errors"
	"reflect"
	"slices"

	"github.com/pods-service/pods/shared/client"
	"github.com/pods-service/pods/shared/document"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
	"github.com/pods-service/pods/shared/templates"
)

func (s *Server) templateRoutes() []rest.Route {
	return []rest.Route{
		{Pattern: "GET /pods/templates", Level: permissions.None, Handle: s.listTemplates},
		{Pattern: "POST /pods/templates", Level: permissions.None, Handle: s.addTemplate},
		{Pattern: "GET /pods/templates/tags", Level: permissions.None, Handle: s.listTemplatesAndTags},
		{Pattern: "GET /pods/templates/{template_id}", Level: permissions.Read, Handle: s.getTemplate},
		{Pattern: "PUT /pods/templates/{template_id}", Level: permissions.User, Handle: s.updateTemplate},
		{Pattern: "DELETE /pods/templates/{template_id}", Level: permissions.Admin, Handle: s.deleteTemplate},
		{Pattern: "GET /pods/templates/{template_id}/tags", Level: permissions.Read, Handle: s.listTemplateTags},
		{Pattern: "POST /pods/templates/{template_id}/tags", Level: permissions.User, Handle: s.addTemplateTag},
		{Pattern: "GET /pods/templates/{template_id}/tags/{tag_id}", Level: permissions.Read, Handle: s.getTemplateTag},
		{Pattern: "DELETE /pods/templates/{template_id}/tags/{tag_id}", Level: permissions.Admin, Handle: s.deleteTemplateTag},
		{Pattern: "GET /pods/templates/{template_id}/permissions", Level: permissions.User, Handle: s.getTemplatePermissions},
		{Pattern: "POST /pods/templates/{template_id}/permissions", Level: permissions.Admin, Handle: s.setTemplatePermission},
		{Pattern: "DELETE /pods/templates/{template_id}/permissions/{user}", Level: permissions.Admin, Handle: s.deleteTemplatePermission},
	}
}

// admits decides access to a template by the level that the route asks for.
func admits(req *rest.Request) func(templates.Template) error {
	return func(template templates.Template) error {
		return permissions.Check(req.Caller, template.Object(), req.Level)
	}
}

// showTemplate shows its permissions to those who may see them.
func showTemplate(caller pods.Caller, template templates.Template) client.Template {
	shown := client.FromTemplate(template)
	if permissions.Check(caller, template.Object(), permissions.User) == nil {
		shown.Permissions = template.Permissions.Strings()
	}
	return shown
}

// visibleTemplates returns the templates that caller may read, and metadata that
// tells a site admin in admin mode which of them are not shown to all others.
func (s *Server) visibleTemplates(ctx context.Context, caller pods.Caller) ([]templates.Template, map[string]any, error) {
	all, err := s.Store.Templates(ctx)
	if err != nil {
		return nil, nil, err
	}
	user := caller
	user.AdminMode = false
	ids := []string{}
	visible := slices.DeleteFunc(all, func(template templates.Template) bool {
		object := template.Object()
		if permissions.Check(user, object, permissions.Read) == nil {
			ids = append(ids, template.ID)
		}
		return permissions.Check(caller, object, permissions.Read) != nil
	})
	if !caller.AdminMode {
		return visible, map[string]any{}, nil
	}
	return visible, adminContext("user_accessible_ids", ids), nil
}

// listTemplates serves GET /pods/templates: those that the caller may use.
func (s *Server) listTemplates(ctx context.Context, req *rest.Request) (rest.Result, error) {
	list, metadata, err := s.visibleTemplates(ctx, req.Caller)
	if err != nil {
		return rest.Result{}, err
	}
	shown := make([]client.Template, len(list))
	for i, template := range list {
		shown[i] = showTemplate(req.Caller, template)
	}
	return rest.Result{Message: "Templates retrieved successfully.", Metadata: metadata, Value: shown}, nil
}

// listTemplatesAndTags serves GET /pods/templates/tags: the templates that the
// caller may use by their ids, each with its tags, the newest first.
func (s *Server) listTemplatesAndTags(ctx context.Context, req *rest.Request) (rest.Result, error) {
	full, err := req.QueryFlag("full", true)
	if err != nil {
		return rest.Result{}, err
	}
	list, metadata, err := s.visibleTemplates(ctx, req.Caller)
	if err != nil {
		return rest.Result{}, err
	}
	ids := make([]string, len(list))
	shown := make(map[string]client.TemplateAndTags, len(list))
	for i, template := range list {
		ids[i] = template.ID
		shown[template.ID] = client.TemplateAndTags{Template: showTemplate(req.Caller, template), Tags: []client.TemplateTag{}}
	}
	tags, err := s.Store.Tags(ctx, ids...)
	if err != nil {
		return rest.Result{}, err
	}
	for _, tag := range tags {
		entry := shown[tag.Reference.TemplateID]
		entry.Tags = append(entry.Tags, client.FromTag(tag, full))
		shown[tag.Reference.TemplateID] = entry
	}
	return rest.Result{Message: "Templates and tags retrieved successfully.", Metadata: metadata, Value: shown}, nil
}

// addTemplate serves POST /pods/templates. Its pods run with the capabilities of
// any image of a user's own.
//
// Errors: KindInvalid for fields; KindConflict when the id is taken.
func (s *Server) addTemplate(ctx context.Context, req *rest.Request) (rest.Result, error) {
	data, err := req.ReadJSON()
	if err != nil {
		return rest.Result{}, err
	}
	template, err := document.NewTemplate(data)
	if err != nil {
		return rest.Result{}, err
	}
	template.TenantID, template.SiteID, template.Profile = req.Caller.TenantID, req.Caller.SiteID, templates.ProfileRestricted
	template.Permissions = permissions.Set{{User: req.Caller.Username, Level: permissions.Admin}}
	added, err := s.Store.AddTemplate(ctx, template)
	if err != nil {
		return rest.Result{}, err
	}
	return rest.Result{Message: "Template added successfully.", Value: showTemplate(req.Caller, added)}, nil
}

// loadTemplate returns the template that the path names, if the caller may act
// on it as the route does.
//
// Errors: KindNotFound, also for a template that the caller may not see;
// KindForbidden.
func (s *Server) loadTemplate(ctx context.Context, req *rest.Request) (templates.Template, error) {
	template, err := s.Store.Template(ctx, req.PathValue("template_id"))
	if err != nil {
		return templates.Template{}, err
	}
	return template, admits(req)(template)
}

// changeTemplate runs fn on the template that the path names, in one
// transaction, if the caller may act on it as the route does.
func (s *Server) changeTemplate(
	ctx context.Context, req *rest.Request, fn func(templates.Template) (templates.Template, error),
) (templates.Template, error) {
	return s.Store.ChangeTemplate(ctx, req.PathValue("template_id"), func(template templates.Template) (templates.Template, error) {
		if err := admits(req)(template); err != nil {
			return templates.Template{}, err
		}
		return fn(template)
	})
}

// getTemplate serves GET /pods/templates/{template_id}.
func (s *Server) getTemplate(ctx context.Context, req *rest.Request) (rest.Result, error) {
	template, err := s.loadTemplate(ctx, req)
	if err != nil {
		return rest.Result{}, err
	}
	return rest.Result{Message: "Template retrieved successfully.", Value: showTemplate(req.Caller, template)}, nil
}

// updateTemplate serves PUT /pods/templates/{template_id}.
//
// Errors: KindInvalid for fields.
func (s *Server) updateTemplate(ctx context.Context, req *rest.Request) (rest.Result, error) {
	data, err := req.ReadJSON()
	if err != nil {
		return rest.Result{}, err
	}
	var current templates.Template
	updated, err := s.changeTemplate(ctx, req, func(template templates.Template) (templates.Template, error) {
		current = template
		updated, err := document.Template(data, template)
		if err == nil && reflect.DeepEqual(updated, template) {
			err = errUnchanged
		}
		return updated, err
	})
	if errors.Is(err, errUnchanged) {
		return rest.Result{
			Message: "Incoming data made no changes to template. Is incoming data equal to current data?",
			Value:   showTemplate(req.Caller, current), IsError: true,
		}, nil
	}
	if err != nil {
		return rest.Result{}, err
	}
	return rest.Result{Message: "Template updated successfully.", Value: showTemplate(req.Caller, updated)}, nil
}

// deleteTemplate serves DELETE /pods/templates/{template_id}. Pods made of it
// keep running, and cannot be started again.
func (s *Server) deleteTemplate(ctx context.Context, req *rest.Request) (rest.Result, error) {
	if err := s.Store.DeleteTemplate(ctx, req.PathValue("template_id"), admits(req)); err != nil {
		return rest.Result{}, err
	}
	return rest.Result{Message: "Template and associated Template Tags successfully deleted.", Value: ""}, nil
}

// getTemplatePermissions serves GET /pods/templates/{template_id}/permissions.
func (s *Server) getTemplatePermissions(ctx context.Context, req *rest.Request) (rest.Result, error) {
	template, err := s.loadTemplate(ctx, req)
	if err != nil {
		return rest.Result{}, err
	}
	return permissionsResult("Template permissions retrieved successfully.", template.Permissions), nil
}

// setTemplatePermission serves POST /pods/templates/{template_id}/permissions:
// it replaces the level of one user, or of all that a key stands for.
//
// Errors: KindInvalid for an unknown level or when nobody would be left with
// ADMIN; KindForbidden for a key that site admins alone may give.
func (s *Server) setTemplatePermission(ctx context.Context, req *rest.Request) (rest.Result, error) {
	data, err := req.ReadJSON()
	if err != nil {
		return rest.Result{}, err
	}
	user, levelName, reading := document.Permission(data)
	return s.changeTemplatePermissions(ctx, req, "Template permissions updated successfully.",
		func(set permissions.Set) (permissions.Set, error) {
			level, checking := permissions.TemplateType.Parse(req.Caller, user, levelName)
			if err := document.Both(reading, checking); err != nil {
				return nil, err
			}
			return permissions.TemplateType.With(set, user, level)
		})
}

// deleteTemplatePermission serves
// DELETE /pods/templates/{template_id}/permissions/{user}.
//
// Errors: KindInvalid when there is no entry or nobody would be left with ADMIN.
func (s *Server) deleteTemplatePermission(ctx context.Context, req *rest.Request) (rest.Result, error) {
	return s.changeTemplatePermissions(ctx, req, "Template permission deleted successfully.",
		func(set permissions.Set) (permissions.Set, error) {
			return permissions.TemplateType.Without(set, req.PathValue("user"))
		})
}

func (s *Server) changeTemplatePermissions(
	ctx context.Context, req *rest.Request, message string, edit func(permissions.Set) (permissions.Set, error),
) (rest.Result, error) {
	changed, err := s.changeTemplate(ctx, req, func(template templates.Template) (templates.Template, error) {
		var err error
		template.Permissions, err = edit(template.Permissions)
		return template, err
	})
	if err != nil {
		return rest.Result{}, err
	}
	return permissionsResult(message, changed.Permissions), nil
}
