package files

import (
	"context"
	"errors"
	"io/fs"
	"path"

	"golang.org/x/sys/unix"

	"github.com/pods-service/pods/shared/pods"
)

// CopyMode says how a copy gets to its place. The zero value makes a new object.
type CopyMode struct {
	// Over copies into an object that is there. Files that are there too are
	// replaced, each in one step and none before everything has been copied;
	// others stay. Without it the object must not be there, and appears whole, in
	// one step.
	Over bool
	// Limit is how many bytes the copy may take, counted as Size.Bytes counts
	// them; 0 means any number.
	Limit int64
}

// Copy copies the folder or file at fromPath to toPath in another object: what
// is in a folder goes into the folder toPath, a file becomes the file toPath. It
// makes the folders above toPath that are missing, and returns what the copy
// takes.
//
// Permissions, times and, as far as the process may give files away, owners come
// along, and so do links, as they are, holes, and several names of one file.
// Set-user-id bits, extended attributes and special files do not. Where the file
// system shares blocks between files (reflink), no content is copied. What
// containers change meanwhile may be copied in its old or its new state, each
// file by itself.
//
// Errors: KindInvalid for paths that lead out, for a file without toPath, for
// folders nested too deep, for a toPath through a link or where folder and file
// would have to replace one another; KindNotFound for from, fromPath, and with
// Over for to; KindConflict when to is there without Over; KindTooLarge past the
// limit or Options.CopyEntries; KindForbidden for what the process may not
// read; KindUnavailable when the storage is full.
func (s *Store) Copy(ctx context.Context, from Object, fromPath string, to Object, toPath string, mode CopyMode) (Size, error) {
	at, err := s.resolve(from, fromPath)
	if err != nil {
		return Size{}, err
	}
	defer at.close()
	dest, err := copyPath(at, toPath)
	if err != nil {
		return Size{}, err
	}
	place := s.placeNew
	if mode.Over {
		place = s.placeOver
	}
	return place(ctx, at, to, dest, mode.Limit)
}

// copyPath returns toPath, clean.
func copyPath(at target, toPath string) (string, error) {
	if dest, err := CleanPath(toPath); err != nil || dest == "" {
		if err == nil && !at.isFolder() {
			err = pods.Invalid("destination_path must be set if source_volume_path is a file.")
		}
		return "", err
	}
	return cleanNewPath(toPath)
}

// placeNew copies what is at to dest in the object to, which is not there yet.
func (s *Store) placeNew(ctx context.Context, at target, to Object, dest string, limit int64) (Size, error) {
	parent, err := s.makeKindFolder(to)
	if err != nil {
		return Size{}, objectError(to, err)
	}
	defer parent.close()
	taken := pods.Conflict("There are files of %s already.", to)
	if _, err := parent.stat(to.ID); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			return Size{}, taken
		}
		return Size{}, objectError(to, err)
	}
	stage, err := s.stage(to.Tenant)
	if err != nil {
		return Size{}, err
	}
	defer stage.end()

	into, name := stage.folder, staged
	if dest != "" {
		if into, err = makeAround(stage.folder, dest); err != nil {
			return Size{}, systemError("stage a copy", err)
		}
		defer into.close()
		name = path.Base(dest)
	}
	if err := s.newCopier(ctx, stage, limit).copyTarget(at, into, name); err != nil {
		return Size{}, err
	}
	size, err := finish(ctx, stage, limit)
	if err != nil {
		return Size{}, err
	}
	err = stage.renameNew(staged, parent, to.ID)
	if errors.Is(err, fs.ErrExist) {
		return Size{}, taken
	}
	if err == nil {
		err = parent.Sync()
	}
	return size, systemError("place a copy", err)
}

// makeAround makes a staged folder with the folders in it in which dest lies,
// and returns the last of them.
func makeAround(stage folder, dest string) (folder, error) {
	const everybodyReads = 0o755
	at, err := stage.make(staged, everybodyReads)
	for _, name := range folderNames(path.Dir(dest)) {
		if err != nil {
			return folder{}, err
		}
		above := at
		at, err = above.make(name, everybodyReads)
		above.close()
	}
	return at, err
}

// placeOver copies what is at to dest in the object to, which is there.
func (s *Store) placeOver(ctx context.Context, at target, to Object, dest string, limit int64) (Size, error) {
	root, err := s.object(to)
	if err != nil {
		return Size{}, err
	}
	defer root.close()
	stage, err := s.stage(to.Tenant)
	if err != nil {
		return Size{}, err
	}
	defer stage.end()
	if err := s.newCopier(ctx, stage, limit).copyTarget(at, stage.folder, staged); err != nil {
		return Size{}, err
	}
	size, err := finish(ctx, stage, limit)
	if err != nil {
		return Size{}, err
	}
	if dest != "" {
		return size, place(root, dest, stage, func(parent folder, name string) error {
			return checkMerge(ctx, stage.folder, staged, parent, name, dest)
		})
	}
	from, err := stage.open(staged)
	if err != nil {
		return Size{}, systemError("place a copy", err)
	}
	defer from.close()
	if err := checkMergeContent(ctx, from, root, ""); err != nil {
		return Size{}, err
	}
	return size, pathError("", mergeContent(from, root, ""))
}

// finish brings what is staged to the disk and measures it.
//
// Errors: KindTooLarge past the limit, which counts what no file's length shows.
func finish(ctx context.Context, stage *stage, limit int64) (Size, error) {
	// One call for a million files instead of one for each.
	if err := unix.Syncfs(stage.fd()); err != nil {
		return Size{}, systemError("store a copy", err)
	}
	size, err := measureStaged(ctx, stage)
	if err == nil && limit > 0 && size.Bytes > limit {
		err = errLimit()
	}
	return size, err
}

func measureStaged(ctx context.Context, stage *stage) (Size, error) {
	stat, err := stage.stat(staged)
	if err != nil {
		return Size{}, systemError("measure a copy", err)
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		return Size{Bytes: allocated(stat), Files: 1}, nil
	}
	copied, err := stage.open(staged)
	if err != nil {
		return Size{}, systemError("measure a copy", err)
	}
	defer copied.close()
	return measure(ctx, copied)
}
