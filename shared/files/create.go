package files

import (
	"context"
	"errors"
	"io/fs"
)

// Create makes the empty folder of o, with the mode and owner of Options. It
// does nothing if the folder is there, whatever is in it.
//
// Errors: KindInvalid; KindConflict when something else than a folder lies
// there; KindUnavailable when the storage is full.
func (s *Store) Create(_ context.Context, o Object) error {
	parent, err := s.makeKindFolder(o)
	if err != nil {
		return objectError(o, err)
	}
	defer parent.close()
	if found, err := parent.open(o.ID); err == nil || !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			found.close()
		}
		return objectError(o, err)
	}
	stage, err := s.stage(o.Tenant)
	if err != nil {
		return err
	}
	defer stage.end()
	made, err := stage.make(staged, s.options.Mode)
	if err != nil {
		return systemError("make the files of "+o.String(), err)
	}
	defer made.close()
	if s.options.UID != 0 || s.options.GID != 0 {
		if err := made.Chown(s.options.UID, s.options.GID); err != nil {
			return systemError("give away the files of "+o.String(), err)
		}
	}
	if err := stage.renameNew(staged, parent, o.ID); err != nil && !errors.Is(err, fs.ErrExist) {
		return systemError("make the files of "+o.String(), err)
	}
	return systemError("make the files of "+o.String(), parent.Sync())
}
