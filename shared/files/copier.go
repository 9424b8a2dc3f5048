package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/pods-service/pods/shared/pods"
)

// copier copies into a stage.
type copier struct {
	ctx     context.Context //nolint:containedctx // it lives as long as one copy
	stage   *stage
	names   folder // the files copied so far that have several names, by inode; made when needed
	entries int    // how many more there may be
	limit   int64  // bytes that are left; below 0 when there is no limit
	cloner  cloner
}

func (s *Store) newCopier(ctx context.Context, stage *stage, limit int64) *copier {
	if limit <= 0 {
		limit = -1
	}
	return &copier{ctx: ctx, stage: stage, entries: s.options.CopyEntries, limit: limit}
}

// copyTarget copies what is at to name in the folder into.
func (c *copier) copyTarget(at target, into folder, name string) error {
	defer c.end()
	if !at.isFolder() {
		file, stat, err := openHandle(at.handle)
		if err != nil {
			return pathError(at.path, err)
		}
		defer func() { _ = file.Close() }()
		return c.copyContent(file, stat, into, name, at.path)
	}
	in, err := at.folder()
	if err != nil {
		return err
	}
	defer in.close()
	return c.copyFolder(in, at.stat, into, name, at.path, 1)
}

func (c *copier) end() {
	if c.names.File != nil {
		c.names.close()
	}
}

// copyFolder copies the folder in, which is at path, to name in the folder into.
func (c *copier) copyFolder(in folder, stat unix.Stat_t, into folder, name, path string, depth int) error {
	made, err := into.make(name, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return c.stagedTwice(path, err)
	}
	if err != nil {
		return systemError("stage a copy", err)
	}
	defer made.close()
	err = each(c.ctx, in, path, depth, func(e entry) error {
		if e.isFolder() && e.stat.Dev != stat.Dev {
			return nil // something is mounted there
		}
		return c.copyEntry(e, made)
	})
	if err != nil {
		return err
	}
	return systemError("stage a copy", c.keep(made.File, stat, 0o3777))
}

// stagedTwice says what a name that is staged already means: the source has been
// changed while it was read.
func (c *copier) stagedTwice(path string, err error) error {
	return because(pods.Conflict("%q changes while it is copied. Try again.", path), err)
}

// copyEntry copies e into the folder, unless it is a special file or has
// vanished.
func (c *copier) copyEntry(e entry, into folder) error {
	if c.entries--; c.entries < 0 {
		return pods.TooLarge("There are too many files for one copy.")
	}
	switch e.stat.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		in, err := e.enter()
		if err != nil || in.File == nil {
			return err
		}
		defer in.close()
		return c.copyFolder(in, e.stat, into, e.name, e.path, e.depth+1)
	case unix.S_IFLNK:
		return c.copyLink(e, into)
	case unix.S_IFREG:
		return c.copyFile(e, into)
	}
	return nil
}

func (c *copier) copyLink(e entry, into folder) error {
	link, err := readLink(e.in.File, e.name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.EINVAL) {
		return nil // it is gone, or no link any more
	}
	if err != nil {
		return pathError(e.path, err)
	}
	if err := unix.Symlinkat(link, into.fd(), e.name); err != nil {
		return systemError("stage a link", err)
	}
	_ = unix.Fchownat(into.fd(), e.name, int(e.stat.Uid), int(e.stat.Gid), unix.AT_SYMLINK_NOFOLLOW)
	return nil
}

func (c *copier) copyFile(e entry, into folder) error {
	if e.stat.Nlink > 1 && c.link(e, into) {
		return nil
	}
	file, stat, err := e.in.openRegular(e.name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotRegular) {
		return nil // it has been replaced since it was listed
	}
	if err != nil {
		return pathError(e.path, err)
	}
	defer func() { _ = file.Close() }()
	if err := c.copyContent(file, stat, into, e.name, e.path); err != nil {
		return err
	}
	if stat.Nlink > 1 {
		c.remember(stat, into, e.name)
	}
	return nil
}

// copyContent copies the open file, which is at path, to name in the folder
// into.
func (c *copier) copyContent(file *os.File, stat unix.Stat_t, into folder, name, path string) error {
	made, err := into.create(name)
	if errors.Is(err, fs.ErrExist) {
		return c.stagedTwice(path, err)
	}
	if err != nil {
		return systemError("stage a copy", err)
	}
	defer func() { _ = made.Close() }()
	if err := c.cloner.clone(c.ctx, made, file, stat, &c.limit); err != nil {
		return pathError(path, err)
	}
	return systemError("stage a copy", c.keep(made, stat, 0o777))
}

// keep gives what was copied the permissions, the time and, if the process may
// give it away, the owner of its original.
func (c *copier) keep(made *os.File, stat unix.Stat_t, mask uint32) error {
	if err := unix.Fchmod(int(made.Fd()), stat.Mode&mask); err != nil { //nolint:gosec // a descriptor is a small number
		return named("chmod", made.Name(), err)
	}
	times := []unix.Timespec{stat.Mtim, stat.Mtim}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, procPath(made), times, 0); err != nil {
		return named("utimes", made.Name(), err)
	}
	_ = made.Chown(int(stat.Uid), int(stat.Gid)) // last: what is given away may not be ours to change
	return nil
}

// link makes e another name of a file that has been copied, and reports whether
// it has.
func (c *copier) link(e entry, into folder) bool {
	return c.names.File != nil &&
		unix.Linkat(c.names.fd(), inodeName(e.stat), into.fd(), e.name, 0) == nil
}

// remember keeps name in the folder for link, as a name in the stage: that takes
// no memory however many there are. Without it a file is copied once for each of
// its names.
func (c *copier) remember(stat unix.Stat_t, in folder, name string) {
	if c.names.File == nil {
		names, err := c.stage.make("names", 0o700)
		if err != nil {
			return
		}
		c.names = names
	}
	_ = unix.Linkat(in.fd(), name, c.names.fd(), inodeName(stat), 0)
}

func inodeName(stat unix.Stat_t) string { return fmt.Sprintf("%x-%x", stat.Dev, stat.Ino) }
