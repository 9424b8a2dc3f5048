package files

import (
	"context"
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/pods-service/pods/shared/pods"
)

// entry is one thing that a walk has come to. What its name stands for may
// change at any time; stat is what it was.
type entry struct {
	in    folder
	name  string
	path  string // in the object
	depth int    // 1 in the folder where the walk began
	stat  unix.Stat_t
}

func (e entry) isFolder() bool { return e.stat.Mode&unix.S_IFMT == unix.S_IFDIR }

func (e entry) isRegular() bool { return e.stat.Mode&unix.S_IFMT == unix.S_IFREG }

// each calls visit for what is in the folder, and leaves out what vanishes
// meanwhile. It ends when ctx does.
func each(ctx context.Context, in folder, path string, depth int, visit func(entry) error) error {
	var stop error // what ends it that is not about the folder
	err := in.names(func(name string) error {
		stop = ctx.Err()
		if stop != nil {
			return stop
		}
		stat, err := in.stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			err = visit(entry{in, name, join(path, name), depth, stat})
		} else {
			err = pathError(join(path, name), err)
		}
		stop = err
		return stop
	})
	if stop != nil {
		return stop
	}
	return pathError(path, err)
}

// walk calls visit for everything below the folder at path, a folder before
// what is in it. It follows no links and stays on the file system of the folder.
//
// Errors: KindInvalid when folders are nested deeper than MaxDepth.
func walk(ctx context.Context, in folder, path string, visit func(entry) error) error {
	stat, err := statOf(in.File)
	if err != nil {
		return pathError(path, err)
	}
	return walkOn(ctx, in, path, 1, stat.Dev, visit)
}

func walkOn(ctx context.Context, in folder, path string, depth int, device uint64, visit func(entry) error) error {
	return each(ctx, in, path, depth, func(e entry) error {
		if err := visit(e); err != nil || !e.isFolder() || e.stat.Dev != device {
			return err
		}
		below, err := e.enter()
		if err != nil || below.File == nil {
			return err
		}
		defer below.close()
		return walkOn(ctx, below, e.path, depth+1, device, visit)
	})
}

// enter opens the folder that e was when it was come to, and returns none if
// there is no folder any more.
func (e entry) enter() (folder, error) {
	if e.depth >= MaxDepth {
		return folder{}, pods.Invalid("Folders are nested deeper than %d below %q.", MaxDepth, firstParts(e.path))
	}
	opened, err := e.in.open(e.name)
	if errors.Is(err, fs.ErrNotExist) || isNoFolder(err) {
		return folder{}, nil
	}
	return opened, pathError(e.path, err)
}

// firstParts returns enough of a long path to find it.
func firstParts(path string) string {
	const enough = 100
	if len(path) <= enough {
		return path
	}
	return path[:enough] + "..."
}
