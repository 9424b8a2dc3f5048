package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/templates"
)

// templateColumns are the columns of templateRow, of a table named t.
const templateColumns = `
	t.template_id, t.tenant_id, t.site_id, t.description, t.metatags, t.archive_message, t.profile,
	t.creation_ts, t.update_ts,
	(SELECT coalesce(jsonb_agg(jsonb_build_object('User', e.key, 'Level', e.level) ORDER BY e.position), '[]')
		FROM template_permissions AS e WHERE e.template_id = t.template_id) AS permissions`

type templateRow struct {
	TemplateID     string            `db:"template_id"`
	TenantID       string            `db:"tenant_id"`
	SiteID         string            `db:"site_id"`
	Description    string            `db:"description"`
	Metatags       []string          `db:"metatags"`
	ArchiveMessage string            `db:"archive_message"`
	Profile        templates.Profile `db:"profile"`
	CreationTS     time.Time         `db:"creation_ts"`
	UpdateTS       time.Time         `db:"update_ts"`
	Permissions    permissions.Set   `db:"permissions"`
}

func (r templateRow) toTemplate() templates.Template {
	return templates.Template{
		ID: r.TemplateID, TenantID: r.TenantID, SiteID: r.SiteID, Description: r.Description, Metatags: r.Metatags,
		ArchiveMessage: r.ArchiveMessage, Profile: r.Profile, Permissions: r.Permissions,
		CreationTS: r.CreationTS.UTC(), UpdateTS: r.UpdateTS.UTC(),
	}
}

// Templates returns all templates of all tenants by their ids; who may see which
// is for the caller to decide.
func (s *Store) Templates(ctx context.Context) ([]templates.Template, error) {
	const query = `SELECT` + templateColumns + ` FROM templates AS t ORDER BY t.template_id`

	return listTemplates(ctx, s.db(ctx), query, nil)
}

// Template returns one template.
//
// Errors: templates.NotFound.
func (s *Store) Template(ctx context.Context, templateID string) (templates.Template, error) {
	const query = `SELECT` + templateColumns + ` FROM templates AS t WHERE t.template_id = @template_id`

	return oneTemplate(ctx, s.db(ctx), query, templateID)
}

func listTemplates(ctx context.Context, db queryer, query string, args pgx.StrictNamedArgs) ([]templates.Template, error) {
	rows, err := db.Query(ctx, query, args)
	if err != nil {
		return nil, translate(err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (templates.Template, error) {
		r, err := pgx.RowToStructByName[templateRow](row)
		return r.toTemplate(), err
	})
	return found, translate(err)
}

func oneTemplate(ctx context.Context, db queryer, query, templateID string) (templates.Template, error) {
	found, err := listTemplates(ctx, db, query, pgx.StrictNamedArgs{"template_id": templateID})
	if err != nil {
		return templates.Template{}, fmt.Errorf("read template %s: %w", templateID, err)
	}
	if len(found) == 0 {
		return templates.Template{}, templates.NotFound(templateID)
	}
	return found[0], nil
}

// AddTemplate stores a new template and returns it.
//
// Errors: KindConflict when there is one of that id, in whatever tenant.
func (s *Store) AddTemplate(ctx context.Context, template templates.Template) (templates.Template, error) {
	template.CreationTS = s.now()
	template.UpdateTS = template.CreationTS
	err := s.atOnce(ctx, func(c *changes) error {
		c.insertTemplate(template, "")
		return nil
	})
	if pods.KindOf(err) == pods.KindConflict {
		return templates.Template{}, &pods.Error{Kind: pods.KindConflict, Err: err, Message: fmt.Sprintf(
			"Duplicate key found: template_id '%s' is already taken. Template ids are shared by all tenants; choose another.", template.ID)}
	}
	if err != nil {
		return templates.Template{}, fmt.Errorf("add template %s: %w", template.ID, err)
	}
	return template, nil
}

// insertTemplate adds a template with its permissions, which clash with those
// of a template that is there.
func (c *changes) insertTemplate(template templates.Template, onConflict string) {
	const query = `
		INSERT INTO templates (
			template_id, tenant_id, site_id, description, metatags, archive_message, profile, creation_ts, update_ts)
		VALUES (
			@template_id, @tenant_id, @site_id, @description, @metatags, @archive_message, @profile, @creation_ts, @update_ts)
		`

	c.batch.Queue(query+onConflict, pgx.StrictNamedArgs{
		"template_id": template.ID, "tenant_id": template.TenantID, "site_id": template.SiteID,
		"description": template.Description, "metatags": append([]string{}, template.Metatags...),
		"archive_message": template.ArchiveMessage, "profile": template.Profile,
		"creation_ts": template.CreationTS, "update_ts": template.UpdateTS,
	})
	if onConflict == "" {
		c.setTemplatePermissions(template.ID, template.Permissions)
	}
}

// setTemplatePermissions replaces the entries of a template.
func (c *changes) setTemplatePermissions(templateID string, set permissions.Set) {
	const remove = `DELETE FROM template_permissions WHERE template_id = @template_id`
	const insert = `
		INSERT INTO template_permissions (template_id, key, level, position)
		SELECT @template_id, entry.key, entry.level, entry.position
		FROM unnest(@keys::text[], @levels::smallint[]) WITH ORDINALITY AS entry (key, level, position)`

	keys, levels := columns(set)
	c.batch.Queue(remove, pgx.StrictNamedArgs{"template_id": templateID})
	c.batch.Queue(insert, pgx.StrictNamedArgs{"template_id": templateID, "keys": keys, "levels": levels})
}

// ChangeTemplate shows change the template as it is and stores what it returns,
// in one transaction in which nobody else can change the template. It is where
// requests are authorized too: an error of change leaves everything as it was
// and is returned as it is.
//
// Errors: templates.NotFound.
func (s *Store) ChangeTemplate(
	ctx context.Context, templateID string, change func(templates.Template) (templates.Template, error),
) (templates.Template, error) {
	const update = `
		UPDATE templates SET description = @description, metatags = @metatags, archive_message = @archive_message, update_ts = @now
		WHERE template_id = @template_id`

	var changed templates.Template
	err := s.inTx(ctx, func(t *tx) error {
		current, err := t.lockTemplate(ctx, templateID, "FOR NO KEY UPDATE OF t")
		if err != nil {
			return err
		}
		if changed, err = change(current); err != nil {
			return err
		}
		changed.UpdateTS = t.now
		t.batch.Queue(update, pgx.StrictNamedArgs{
			"template_id": templateID, "description": changed.Description,
			"metatags": append([]string{}, changed.Metatags...), "archive_message": changed.ArchiveMessage, "now": t.now,
		})
		t.setTemplatePermissions(templateID, changed.Permissions)
		return nil
	})
	if err != nil {
		return templates.Template{}, err
	}
	return changed, nil
}

func (t *tx) lockTemplate(ctx context.Context, templateID, lock string) (templates.Template, error) {
	const query = `SELECT` + templateColumns + ` FROM templates AS t WHERE t.template_id = @template_id `

	return oneTemplate(ctx, t, query+lock, templateID)
}

// DeleteTemplate removes a template with its tags, if authorize does not object.
// Pods that were made of it can be merged no more.
//
// Errors: templates.NotFound; what authorize returns, as it is.
func (s *Store) DeleteTemplate(ctx context.Context, templateID string, authorize func(templates.Template) error) error {
	const remove = `DELETE FROM templates WHERE template_id = @template_id`

	return s.inTx(ctx, func(t *tx) error {
		template, err := t.lockTemplate(ctx, templateID, "FOR UPDATE OF t")
		if err != nil {
			return err
		}
		if err := authorize(template); err != nil {
			return err
		}
		t.batch.Queue(remove, pgx.StrictNamedArgs{"template_id": templateID})
		return nil
	})
}

// Ship stores the tags that a version of the service brings, with their
// templates. A template of a user that has the same id is left alone, and so are
// the tags of earlier versions, by which pods may be pinned.
func (s *Store) Ship(ctx context.Context, tags []templates.Tag) error {
	const onConflict = `
		ON CONFLICT ON CONSTRAINT templates_pkey DO UPDATE SET
			description = excluded.description, metatags = excluded.metatags, profile = excluded.profile, update_ts = excluded.update_ts
		WHERE templates.tenant_id = ''
			AND (templates.description, templates.metatags, templates.profile)
				IS DISTINCT FROM (excluded.description, excluded.metatags, excluded.profile)`
	const open = `
		INSERT INTO template_permissions (template_id, key, level, position)
		SELECT template_id, @key, @level, 1 FROM templates WHERE template_id = @template_id AND tenant_id = ''
		ON CONFLICT ON CONSTRAINT template_permissions_pkey DO NOTHING`

	err := s.inTx(ctx, func(t *tx) error {
		shipped := map[string]bool{}
		for _, tag := range tags {
			template := tag.Template
			if !shipped[template.ID] {
				shipped[template.ID] = true
				template.CreationTS, template.UpdateTS = t.now, t.now
				t.insertTemplate(template, onConflict)
				for _, entry := range template.Permissions {
					t.batch.Queue(open, pgx.StrictNamedArgs{"template_id": template.ID, "key": entry.User, "level": entry.Level})
				}
			}
			if err := t.insertTag(tag, "ON CONFLICT ON CONSTRAINT template_tags_pkey DO NOTHING"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store the templates of this version: %w", err)
	}
	return nil
}
