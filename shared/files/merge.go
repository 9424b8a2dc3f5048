package files

import (
	"context"
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/pods-service/pods/shared/pods"
)

// merge moves name in the staged folder at to toName in the folder into, which p
// names for errors. A folder that is there already takes in what is in the
// staged one; everything else is replaced, file by file.
//
// Errors: KindInvalid where a folder would have to replace a file or a link, or
// the other way round. The caller syncs into.
func merge(at folder, name string, into folder, toName, p string) error {
	stat, err := at.stat(name)
	if err != nil {
		return err
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		err := at.rename(name, into, toName)
		if errors.Is(err, unix.EISDIR) {
			return folderInTheWay(p)
		}
		return err
	}
	if err := at.renameNew(name, into, toName); !errors.Is(err, fs.ErrExist) {
		return err
	}
	from, err := at.open(name)
	if err != nil {
		return err
	}
	defer from.close()
	target, err := into.open(toName)
	if isNoFolder(err) {
		return fileInTheWay(p)
	}
	if err != nil {
		return err
	}
	defer target.close()
	return mergeContent(from, target, p)
}

// mergeContent moves what is in the staged folder from into the folder target,
// for good.
func mergeContent(from, target folder, p string) error {
	err := from.names(func(name string) error { return merge(from, name, target, name, join(p, name)) })
	if err != nil {
		return err
	}
	return target.Sync()
}

func fileInTheWay(p string) error {
	return pods.Invalid("A file or a link is at %q, where a folder is to be. Remove it, or name another path.", p)
}

// checkMerge finds what merge could not replace, before anything is replaced.
func checkMerge(ctx context.Context, at folder, name string, into folder, toName, p string) error {
	there, err := into.stat(toName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	here, err := at.stat(name)
	if err != nil {
		return err
	}
	isFolder, willBe := there.Mode&unix.S_IFMT == unix.S_IFDIR, here.Mode&unix.S_IFMT == unix.S_IFDIR
	switch {
	case isFolder && !willBe:
		return folderInTheWay(p)
	case willBe && !isFolder:
		return fileInTheWay(p)
	case !willBe:
		return nil
	}
	from, err := at.open(name)
	if err != nil {
		return err
	}
	defer from.close()
	target, err := into.open(toName)
	if err != nil {
		return err
	}
	defer target.close()
	return checkMergeContent(ctx, from, target, p)
}

// checkMergeContent is checkMerge for mergeContent.
func checkMergeContent(ctx context.Context, from, target folder, p string) error {
	return from.names(func(name string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return checkMerge(ctx, from, name, target, name, join(p, name))
	})
}
