package files

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/pods-service/pods/shared/pods"
)

// maxRaces is how often placing a file begins again because a folder has been
// made or taken away meanwhile.
const maxRaces = 20

// checkPlace checks that a file can be placed at path below the root.
//
// Errors: those of Write.
func checkPlace(root folder, p string) error {
	parent, missing, err := descend(root, path.Dir(p))
	if err != nil {
		return err
	}
	defer parent.close()
	if len(missing) > 0 {
		return nil
	}
	stat, err := parent.stat(path.Base(p))
	if err == nil && stat.Mode&unix.S_IFMT == unix.S_IFDIR {
		return folderInTheWay(p)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return pathError(p, err)
}

func folderInTheWay(p string) error {
	return pods.Invalid("A folder is at %q. Name a file in it, or another path.", p)
}

// descend opens the folder at the path dir below the root, without following a
// link. If it is not there it opens the last folder on the way that is, and
// returns the names of those that are missing.
//
// Errors: KindInvalid when the path leads through something else than folders.
func descend(root folder, dir string) (at folder, missing []string, err error) {
	at, err = root.reopen()
	if err != nil {
		return folder{}, nil, pathError(dir, err)
	}
	names := folderNames(dir)
	for i, name := range names {
		below, err := at.open(name)
		if errors.Is(err, fs.ErrNotExist) {
			return at, names[i:], nil
		}
		at.close()
		if isNoFolder(err) {
			return folder{}, nil, because(pods.Invalid("The path leads through %q, which is a link or a file. Nothing is written through one.",
				strings.Join(names[:i+1], "/")), err)
		}
		if err != nil {
			return folder{}, nil, pathError(strings.Join(names[:i+1], "/"), err)
		}
		at = below
	}
	return at, nil, nil
}

// folderNames returns the names in what path.Dir gives.
func folderNames(dir string) []string {
	if dir == "." {
		return nil
	}
	return strings.Split(dir, "/")
}

// place moves what is staged to path below the root, in one step. Folders that
// are missing are made in the stage around it and move with it. prepare is told
// the folder that there is, and the name in it that will be new.
func place(root folder, p string, stage *stage, prepare func(parent folder, name string) error) error {
	for range maxRaces {
		parent, missing, err := descend(root, path.Dir(p))
		if err != nil {
			return err
		}
		first := path.Base(p)
		if len(missing) > 0 {
			first = missing[0]
		}
		err = prepare(parent, first)
		switch {
		case err != nil:
		case len(missing) > 0:
			err = placeBelow(stage, parent, append(missing, path.Base(p)))
		default:
			if err = merge(stage.folder, staged, parent, first, p); err == nil {
				err = parent.Sync()
			}
		}
		parent.close()
		// Gone, or there by now: what descend found does not hold any more.
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			return pathError(p, err)
		}
	}
	return pods.Conflict("The folders above %q change all the time. Try again.", p)
}

// placeBelow moves what is staged into parent under names, of which the last is
// its own and the others are folders that are made.
//
// Errors: fs.ErrExist, fs.ErrNotExist when parent has changed; what is staged is
// then back in its place.
func placeBelow(stage *stage, parent folder, names []string) error {
	like, err := statOf(parent.File)
	if err != nil {
		return err
	}
	chain := rand.Text()
	last, err := makeChain(stage.folder, chain, names[1:len(names)-1], like)
	if err != nil {
		return err
	}
	defer last.close()
	own := names[len(names)-1]
	if err := stage.rename(staged, last, own); err != nil {
		return err
	}
	if err := last.Sync(); err != nil {
		return err
	}
	if err := stage.renameNew(chain, parent, names[0]); err != nil {
		return errors.Join(err, last.rename(own, stage.folder, staged))
	}
	return parent.Sync()
}

// makeChain makes the folder name in f and below it those of names, one in the
// other, all with the owner and mode of like, and returns the last one.
func makeChain(f folder, name string, names []string, like unix.Stat_t) (folder, error) {
	at, err := f.make(name, 0o700)
	for _, name := range names {
		if err != nil {
			return folder{}, err
		}
		var below folder
		if below, err = at.make(name, 0o700); err == nil {
			err = resemble(at.File, like, 0o777)
		}
		if err == nil {
			err = at.Sync()
		}
		at.close()
		at = below
	}
	if err == nil {
		err = resemble(at.File, like, 0o777)
	}
	return at, err
}

// resemble gives the file the owner of like, if the process may give it away,
// and those permissions of like that are in mask.
func resemble(file *os.File, like unix.Stat_t, mask uint32) error {
	if err := file.Chmod(fs.FileMode(like.Mode & mask & 0o777)); err != nil {
		return err
	}
	_ = file.Chown(int(like.Uid), int(like.Gid)) // last: what is given away may not be ours to change
	return nil
}
