package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/pods-service/pods/shared/pods"
)

const (
	quarantineFolder = ".quarantine"
	// removalTime is the first part of the name of what is in quarantine; the
	// kind and the id follow, parted by dots.
	removalTime = "20060102T150405.000000000Z"
)

// Removed is an object in quarantine.
type Removed struct {
	Object
	At    time.Time // when it was removed
	Entry string    // what Restore takes
}

// Remove takes o out of use: its folder, or whatever lies in its place, goes
// into quarantine in one step. It does nothing if o is not there. A container
// that still mounts o goes on seeing it, in quarantine too.
//
// Errors: KindInvalid.
func (s *Store) Remove(_ context.Context, o Object) error {
	parent, err := s.kindFolder(o)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return objectError(o, err)
	}
	defer parent.close()
	quarantine, err := s.makeOwn(o.Tenant, quarantineFolder)
	if err != nil {
		return systemError("open the quarantine", err)
	}
	defer quarantine.close()

	at := s.options.Now().UTC()
	for {
		err = parent.renameNew(o.ID, quarantine, entryName(o, at))
		if !errors.Is(err, fs.ErrExist) {
			break
		}
		at = at.Add(time.Nanosecond) // the same id, made and removed twice at one time
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = errors.Join(quarantine.Sync(), parent.Sync())
	}
	return systemError("remove "+o.String(), err)
}

// Quarantined returns all that is in quarantine, of every tenant, in no order.
func (s *Store) Quarantined(ctx context.Context) ([]Removed, error) {
	var all []Removed
	err := s.eachTenant(ctx, func(name string, tenant folder) error {
		return eachRemoved(ctx, name, tenant, func(_ folder, _ string, removed Removed) error {
			all = append(all, removed)
			return nil
		})
	})
	return all, err
}

// Restore brings what is in quarantine back to where it was.
//
// Errors: KindInvalid for what is no entry; KindNotFound; KindConflict when
// there is an object of its kind and id again.
func (s *Store) Restore(_ context.Context, entry string) (Object, error) {
	tenant, name, _ := strings.Cut(entry, "/")
	removed, ok := parseEntry(tenant, name)
	if !ok {
		return Object{}, pods.Invalid("%q is no entry of the quarantine.", entry)
	}
	o := removed.Object
	missing := pods.NotFound("%q is not in quarantine.", entry)
	above, err := s.base.open(tenant)
	if err != nil {
		return Object{}, missing
	}
	defer above.close()
	quarantine, err := above.open(quarantineFolder)
	if err != nil {
		return Object{}, missing
	}
	defer quarantine.close()
	parent, err := s.makeKindFolder(o)
	if err != nil {
		return Object{}, objectError(o, err)
	}
	defer parent.close()
	err = quarantine.renameNew(name, parent, o.ID)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Object{}, missing
	case errors.Is(err, fs.ErrExist):
		return Object{}, pods.Conflict("There are files of %s again. Remove it first.", o)
	case err == nil:
		err = errors.Join(parent.Sync(), quarantine.Sync())
	}
	return o, systemError("restore "+o.String(), err)
}

// Purge ends the quarantine of what was removed before olderThan: it deletes
// it for good and returns how many objects that were. It also deletes what
// earlier purges have left unfinished. It goes in small steps, each of which
// may be the last: when ctx ends or the process is killed, the next purge goes
// on, and what it had begun can no longer be restored. It follows no link and
// leaves alone what is mounted inside; what it cannot delete it reports, after
// all the rest.
func (s *Store) Purge(ctx context.Context, olderThan time.Time) (int, error) {
	count := 0
	err := s.eachTenant(ctx, func(name string, tenant folder) error {
		doomed, err := tenant.ensure(doomedFolder, ownMode)
		if err != nil {
			return err
		}
		defer doomed.close()
		err = eachRemoved(ctx, name, tenant, func(quarantine folder, entry string, removed Removed) error {
			if !removed.At.Before(olderThan) {
				return nil
			}
			err := quarantine.rename(entry, doomed, entry)
			if errors.Is(err, fs.ErrNotExist) {
				return nil // restored, or another purge's
			}
			if err != nil {
				return fmt.Errorf("end the quarantine of %s: %w", removed.Object, err)
			}
			count++
			return nil
		})
		return errors.Join(err, drain(ctx, doomed))
	})
	return count, err
}

// eachRemoved calls visit with what is in quarantine of one tenant.
func eachRemoved(ctx context.Context, name string, tenant folder, visit func(quarantine folder, entry string, removed Removed) error) error {
	quarantine, err := tenant.open(quarantineFolder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer quarantine.close()
	return quarantine.names(func(entry string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		removed, ok := parseEntry(name, entry)
		if !ok {
			return nil
		}
		return visit(quarantine, entry, removed)
	})
}

func entryName(o Object, at time.Time) string {
	return at.Format(removalTime) + "." + string(o.Kind) + "." + o.ID
}

// parseEntry is entryName backwards.
func parseEntry(tenant, name string) (Removed, bool) {
	parts := strings.Split(name, ".")
	const second, fraction, kind, id = 0, 1, 2, 3
	if len(parts) != id+1 {
		return Removed{}, false
	}
	at, err := time.Parse(removalTime, parts[second]+"."+parts[fraction])
	o := Object{Tenant: tenant, Kind: Kind(parts[kind]), ID: parts[id]}
	if err != nil || o.Validate() != nil {
		return Removed{}, false
	}
	return Removed{Object: o, At: at, Entry: tenant + "/" + name}, true
}
