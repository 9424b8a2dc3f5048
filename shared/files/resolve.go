package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/pods-service/pods/shared/pods"
)

// maxLinks is how many links one path may lead through at its end, the limit of
// Linux. os.Root counts those on the way.
const maxLinks = 40

// target is what a path in an object leads to: opened, but only as a name.
type target struct {
	path   string // clean, "" for the root
	handle *os.File
	stat   unix.Stat_t
}

func (t target) close() { _ = t.handle.Close() }

func (t target) isFolder() bool { return t.stat.Mode&unix.S_IFMT == unix.S_IFDIR }

// folder opens the folder that t is.
//
// Errors: KindInvalid for anything else.
func (t target) folder() (folder, error) {
	if !t.isFolder() {
		return folder{}, pods.Invalid("%q is a file and no folder.", t.path)
	}
	opened, err := folder{t.handle}.reopen()
	return opened, pathError(t.path, err)
}

// resolve finds what p leads to in o. Links that stay inside o are followed.
//
// Errors: KindInvalid for a path that leads out; KindNotFound.
func (s *Store) resolve(o Object, p string) (target, error) {
	clean, err := CleanPath(p)
	if err != nil {
		return target{}, err
	}
	object, err := s.object(o)
	if err != nil {
		return target{}, err
	}
	defer object.close()
	found := target{path: clean}
	if clean == "" {
		clean = "."
	}
	found.handle, found.stat, err = lookUp(object, clean)
	return found, pathError(found.path, err)
}

// resolveFolder opens the folder that p leads to in o, and returns p as it is
// listed.
//
// Errors: those of resolve; KindInvalid for anything but a folder.
func (s *Store) resolveFolder(o Object, p string) (folder, string, error) {
	at, err := s.resolve(o, p)
	if err != nil {
		return folder{}, "", err
	}
	defer at.close()
	in, err := at.folder()
	return in, at.path, err
}

// lookUp opens what name leads to below the folder. os.Root opens a link at the
// end of a path itself when it is asked for no more than a name, so those are
// followed here, each through the root again. The targets are not cleaned: what
// ".." means in one is for the root to find out.
func lookUp(below folder, name string) (*os.File, unix.Stat_t, error) {
	root, err := os.OpenRoot(procPath(below.File))
	if err != nil {
		return nil, unix.Stat_t{}, err
	}
	defer func() { _ = root.Close() }()
	for range maxLinks {
		handle, err := root.OpenFile(name, unix.O_PATH, 0)
		if _, bySystem := errors.AsType[syscall.Errno](err); err != nil && !bySystem {
			err = fmt.Errorf("%w: %w", errLeadsOut, err) // the one thing that the root itself refuses
		}
		if err != nil {
			return nil, unix.Stat_t{}, err
		}
		stat, err := statOf(handle)
		if err == nil && stat.Mode&unix.S_IFMT != unix.S_IFLNK {
			return handle, stat, nil
		}
		var link string
		if err == nil {
			link, err = readLink(handle, "")
		}
		_ = handle.Close()
		if err != nil {
			return nil, stat, err
		}
		if path.IsAbs(link) {
			return nil, stat, fmt.Errorf("link to %q: %w", link, errLeadsOut)
		}
		name = name[:strings.LastIndex(name, "/")+1] + link
	}
	return nil, unix.Stat_t{}, &fs.PathError{Op: "open", Path: name, Err: syscall.ELOOP}
}

// errLeadsOut says that a link names a place outside of its object.
var errLeadsOut = errors.New("outside of the object")

// readLink returns what the link name in the folder says, or, with no name, the
// open link itself.
func readLink(in *os.File, name string) (string, error) {
	buffer := make([]byte, maxPath+1)
	n, err := unix.Readlinkat(fd(in), name, buffer)
	if err != nil {
		return "", named("readlink", name, err)
	}
	return string(buffer[:n]), nil
}
