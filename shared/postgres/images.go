package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/images"
	"github.com/pods-service/pods/shared/pods"
)

// imageColumns are the columns of imageRow.
const imageColumns = ` key, image, tenants, description, tenant_id, added_by, creation_ts `

type imageRow struct {
	Key         string    `db:"key"`
	Image       string    `db:"image"`
	Tenants     []string  `db:"tenants"`
	Description string    `db:"description"`
	TenantID    string    `db:"tenant_id"`
	AddedBy     string    `db:"added_by"`
	CreationTS  time.Time `db:"creation_ts"`
}

func (r imageRow) toImage() images.Image {
	return images.Image{
		Key: r.Key, Name: r.Image, Tenants: r.Tenants, Description: r.Description,
		TenantID: r.TenantID, AddedBy: r.AddedBy, CreationTS: r.CreationTS.UTC(),
	}
}

func listImages(ctx context.Context, db queryer, query string, args pgx.StrictNamedArgs) ([]images.Image, error) {
	rows, err := db.Query(ctx, query, args)
	if err != nil {
		return nil, translate(err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (images.Image, error) {
		r, err := pgx.RowToStructByName[imageRow](row)
		return r.toImage(), err
	})
	return found, translate(err)
}

// Images returns the entries of the allowlist of all tenants by their keys.
func (s *Store) Images(ctx context.Context) ([]images.Image, error) {
	return listImages(ctx, s.db(ctx), `SELECT`+imageColumns+`FROM images ORDER BY key`, nil)
}

// Image implements images.Source.
//
// Errors: KindNotFound.
func (s *Store) Image(ctx context.Context, key string) (images.Image, error) {
	const query = `SELECT` + imageColumns + `FROM images WHERE key = @key`

	return oneImage(ctx, s.db(ctx), query, pgx.StrictNamedArgs{"key": key})
}

func oneImage(ctx context.Context, db queryer, query string, args pgx.StrictNamedArgs) (images.Image, error) {
	found, err := listImages(ctx, db, query, args)
	if err != nil {
		return images.Image{}, fmt.Errorf("image %s: %w", args["key"], err)
	}
	if len(found) == 0 {
		return images.Image{}, pods.NotFound("Image with id %s not found", args["key"])
	}
	return found[0], nil
}

// AddImages stores new entries and returns those that were not there. One that
// is there already, or twice in list, fails all of them unless skipDuplicates.
//
// Errors: KindConflict.
func (s *Store) AddImages(ctx context.Context, list []images.Image, skipDuplicates bool) ([]images.Image, error) {
	const query = `
		INSERT INTO images (key, image, tenants, description, tenant_id, added_by, creation_ts)
		VALUES (@key, @image, @tenants, @description, @tenant_id, @added_by, @now)
		`

	onConflict := ""
	if skipDuplicates {
		onConflict = `ON CONFLICT ON CONSTRAINT images_pkey DO NOTHING`
	}
	var added []images.Image
	err := s.inTx(ctx, func(t *tx) error {
		for _, image := range list {
			done, err := t.Exec(ctx, query+onConflict, pgx.StrictNamedArgs{
				"key": image.Key, "image": image.Name, "tenants": append([]string{}, image.Tenants...), "description": image.Description,
				"tenant_id": image.TenantID, "added_by": image.AddedBy, "now": t.now,
			})
			if pods.KindOf(translate(err)) == pods.KindConflict {
				return images.Duplicate(image.Name, err)
			}
			if err != nil {
				return err
			}
			if done.RowsAffected() > 0 {
				image.CreationTS = t.now
				added = append(added, image)
			}
		}
		return nil
	})
	return added, err
}

// UpdateImage stores the tenants and the description of an entry.
//
// Errors: KindNotFound.
func (s *Store) UpdateImage(ctx context.Context, image images.Image) (images.Image, error) {
	const query = `
		UPDATE images SET tenants = @tenants, description = @description WHERE key = @key
		RETURNING` + imageColumns

	return oneImage(ctx, s.db(ctx), query, pgx.StrictNamedArgs{
		"key": image.Key, "tenants": append([]string{}, image.Tenants...), "description": image.Description,
	})
}

// DeleteImage removes an entry.
//
// Errors: KindNotFound.
func (s *Store) DeleteImage(ctx context.Context, key string) error {
	const query = `DELETE FROM images WHERE key = @key RETURNING` + imageColumns

	_, err := oneImage(ctx, s.db(ctx), query, pgx.StrictNamedArgs{"key": key})
	return err
}
