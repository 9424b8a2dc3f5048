package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/templates"
)

// tagColumns are the columns of tagRow, of tables g and t.
const tagColumns = `
	g.tag, g.stamp, g.definition, g.commit_message, g.added_by, g.creation_ts AS tag_creation_ts,` + templateColumns

type tagRow struct {
	templateRow
	Tag           string     `db:"tag"`
	Stamp         string     `db:"stamp"`
	Definition    pods.Patch `db:"definition"`
	CommitMessage string     `db:"commit_message"`
	AddedBy       string     `db:"added_by"`
	TagCreationTS time.Time  `db:"tag_creation_ts"`
}

func (r tagRow) toTag() templates.Tag {
	return templates.Tag{
		Template:   r.toTemplate(),
		Reference:  templates.Reference{TemplateID: r.TemplateID, Tag: r.Tag, Timestamp: r.Stamp},
		Definition: r.Definition, CommitMessage: r.CommitMessage, AddedBy: r.AddedBy, Created: r.TagCreationTS.UTC(),
	}
}

func listTags(ctx context.Context, db queryer, query string, args pgx.StrictNamedArgs) ([]templates.Tag, error) {
	rows, err := db.Query(ctx, query, args)
	if err != nil {
		return nil, translate(err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (templates.Tag, error) {
		r, err := pgx.RowToStructByName[tagRow](row)
		return r.toTag(), err
	})
	return found, translate(err)
}

// Tag implements templates.Source: it returns the tag that reference names, the
// newest one for a reference without timestamp.
//
// Errors: templates.Unknown, templates.UnknownTag.
func (s *Store) Tag(ctx context.Context, reference templates.Reference) (templates.Tag, error) {
	const query = `
		SELECT` + tagColumns + `
		FROM template_tags AS g JOIN templates AS t USING (template_id)
		WHERE g.template_id = @template_id AND g.tag = @tag AND (@stamp = '' OR g.stamp = @stamp)
		ORDER BY g.stamp DESC LIMIT 1`

	found, err := listTags(ctx, s.db(ctx), query, pgx.StrictNamedArgs{
		"template_id": reference.TemplateID, "tag": reference.Tag, "stamp": reference.Timestamp,
	})
	if err != nil {
		return templates.Tag{}, fmt.Errorf("read template %s: %w", reference, err)
	}
	if len(found) > 0 {
		return found[0], nil
	}
	if _, err := s.Template(ctx, reference.TemplateID); pods.KindOf(err) == pods.KindNotFound {
		return templates.Tag{}, templates.Unknown(reference.TemplateID)
	} else if err != nil {
		return templates.Tag{}, err
	}
	return templates.Tag{}, templates.UnknownTag(reference)
}

// Tags returns the tags of the templates with the given ids, those of each
// together, the newest first.
func (s *Store) Tags(ctx context.Context, templateIDs ...string) ([]templates.Tag, error) {
	const query = `
		SELECT` + tagColumns + `
		FROM template_tags AS g JOIN templates AS t USING (template_id)
		WHERE g.template_id = ANY (@template_ids)
		ORDER BY g.template_id, g.stamp DESC, g.tag`

	return listTags(ctx, s.db(ctx), query, pgx.StrictNamedArgs{"template_ids": templateIDs})
}

// AddTag stores a new tag, if authorize does not object to its template as it
// is.
//
// Errors: templates.NotFound; KindConflict when the template has the same tag
// from the same second; what authorize returns, as it is.
func (s *Store) AddTag(ctx context.Context, tag templates.Tag, authorize func(templates.Template) error) (templates.Tag, error) {
	tag.Created = s.now()
	tag.Reference.Timestamp = templates.Timestamp(tag.Created)
	err := s.inTx(ctx, func(t *tx) error {
		template, err := t.lockTemplate(ctx, tag.Reference.TemplateID, "FOR KEY SHARE OF t")
		if err != nil {
			return err
		}
		if err := authorize(template); err != nil {
			return err
		}
		tag.Template = template
		return t.insertTag(tag, "")
	})
	if pods.KindOf(err) == pods.KindConflict {
		return templates.Tag{}, &pods.Error{Kind: pods.KindConflict, Err: err, Message: fmt.Sprintf(
			"Duplicate key found: template tag '%s' was added in this very second. Try again.", tag.Reference)}
	}
	if err != nil {
		return templates.Tag{}, err
	}
	return tag, nil
}

func (t *tx) insertTag(tag templates.Tag, onConflict string) error {
	// A tag goes with a template of who adds it, which may not be that of a user.
	const query = `
		INSERT INTO template_tags (template_id, tag, stamp, definition, commit_message, added_by, creation_ts)
		SELECT template_id, @tag, @stamp, @definition, @commit_message, @added_by, @creation_ts
		FROM templates WHERE template_id = @template_id AND tenant_id = @tenant_id
		`

	definition, err := json.Marshal(tag.Definition)
	if err != nil {
		return fmt.Errorf("encode the definition of %s: %w", tag.Reference, err)
	}
	t.batch.Queue(query+onConflict, pgx.StrictNamedArgs{
		"template_id": tag.Reference.TemplateID, "tenant_id": tag.Template.TenantID,
		"tag": tag.Reference.Tag, "stamp": tag.Reference.Timestamp, "definition": json.RawMessage(definition),
		"commit_message": tag.CommitMessage, "added_by": tag.AddedBy, "creation_ts": tag.Created,
	})
	return nil
}

// Dependents are what is made of one tag.
type Dependents struct {
	Pods []pods.Ref            // of all tenants
	Tags []templates.Reference // that build on it
}

// Dependents returns what is made of the tags that references name, by their
// texts.
func (s *Store) Dependents(ctx context.Context, references []templates.Reference) (map[string]Dependents, error) {
	return dependents(ctx, s.db(ctx), references)
}

func dependents(ctx context.Context, db queryer, references []templates.Reference) (map[string]Dependents, error) {
	const podsQuery = `
		SELECT template, tenant_id, pod_id, uid, instance FROM pods
		WHERE template = ANY (@references) AND template <> '' ORDER BY tenant_id, pod_id`
	const tagsQuery = `
		SELECT definition ->> 'template', template_id, tag, stamp FROM template_tags
		WHERE definition ->> 'template' = ANY (@references) ORDER BY template_id, tag, stamp`

	texts := make([]string, len(references))
	for i, reference := range references {
		texts[i] = reference.String()
	}
	args := pgx.StrictNamedArgs{"references": texts}
	found := map[string]Dependents{}
	var of string
	var ref pods.Ref
	rows, err := db.Query(ctx, podsQuery, args)
	if err != nil {
		return nil, translate(err)
	}
	_, err = pgx.ForEachRow(rows, []any{&of, &ref.TenantID, &ref.PodID, &ref.UID, &ref.Instance}, func() error {
		d := found[of]
		d.Pods = append(d.Pods, ref)
		found[of] = d
		return nil
	})
	if err != nil {
		return nil, translate(err)
	}
	var tag templates.Reference
	if rows, err = db.Query(ctx, tagsQuery, args); err != nil {
		return nil, translate(err)
	}
	_, err = pgx.ForEachRow(rows, []any{&of, &tag.TemplateID, &tag.Tag, &tag.Timestamp}, func() error {
		d := found[of]
		d.Tags = append(d.Tags, tag)
		found[of] = d
		return nil
	})
	return found, translate(err)
}

// DeleteTag removes the tag that reference names, if authorize does not object
// to its template. A reference without timestamp may name one tag only. What is
// made of the tag keeps it from being removed unless isForced.
//
// Errors: templates.NotFound; KindNotFound for a tag that is not there;
// KindInvalid for a reference that names several; KindConflict for a tag in use;
// what authorize returns, as it is.
func (s *Store) DeleteTag(
	ctx context.Context, reference templates.Reference, isForced bool, authorize func(templates.Template) error,
) error {
	const remove = `DELETE FROM template_tags WHERE template_id = @template_id AND tag = @tag AND stamp = @stamp`

	return s.inTx(ctx, func(t *tx) error {
		template, err := t.lockTemplate(ctx, reference.TemplateID, "FOR UPDATE OF t")
		if err != nil {
			return err
		}
		if err := authorize(template); err != nil {
			return err
		}
		exact, err := t.findTag(ctx, reference)
		if err != nil {
			return err
		}
		if !isForced {
			if err := t.checkUnused(ctx, exact); err != nil {
				return err
			}
		}
		t.batch.Queue(remove, pgx.StrictNamedArgs{"template_id": exact.TemplateID, "tag": exact.Tag, "stamp": exact.Timestamp})
		return nil
	})
}

// findTag returns the reference of the one tag that reference names.
func (t *tx) findTag(ctx context.Context, reference templates.Reference) (templates.Reference, error) {
	const query = `
		SELECT template_id, tag, stamp FROM template_tags
		WHERE template_id = @template_id AND tag = @tag AND (@stamp = '' OR stamp = @stamp) ORDER BY stamp`

	rows, err := t.Query(ctx, query, pgx.StrictNamedArgs{
		"template_id": reference.TemplateID, "tag": reference.Tag, "stamp": reference.Timestamp,
	})
	if err != nil {
		return templates.Reference{}, err
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[templates.Reference])
	switch {
	case err != nil:
		return templates.Reference{}, err
	case len(found) == 0:
		return templates.Reference{}, pods.NotFound("Template tag with identifier '%s' not found", reference)
	case len(found) > 1:
		return templates.Reference{}, pods.Invalid(
			"Template tag '%s' names %d versions. Name one in full, as tag@timestamp.", reference, len(found))
	}
	return found[0], nil
}

func (t *tx) checkUnused(ctx context.Context, reference templates.Reference) error {
	found, err := dependents(ctx, t, []templates.Reference{reference})
	if err != nil {
		return err
	}
	used := found[reference.String()]
	if len(used.Pods) == 0 && len(used.Tags) == 0 {
		return nil
	}
	texts := make([]string, len(used.Tags))
	for i, tag := range used.Tags {
		texts[i] = tag.String()
	}
	by := fmt.Sprintf("%d pods", len(used.Pods))
	if len(texts) > 0 {
		by += " and the template tags " + strings.Join(texts, ", ")
	}
	return pods.Conflict("Template tag '%s' is used by %s. Delete it with force=true if they may lose it.", reference, by)
}
