package files

import (
	"context"
	"io/fs"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// What a File can be.
const (
	TypeFile  = "file"
	TypeDir   = "dir"
	TypeLink  = "symbolic_link"
	TypeOther = "other" // a device, a pipe or a socket
)

// File describes one thing in an object.
type File struct {
	Path    string // below the object's root, without a slash in front; "" is the root
	Name    string // the last part of Path
	Type    string // TypeFile, TypeDir, TypeLink or TypeOther
	Size    int64  // bytes that reading would give, 0 for anything but a file
	ModTime time.Time
	Mode    fs.FileMode // permissions and type
}

func newFile(p string, stat unix.Stat_t) File {
	file := File{
		Path:    p,
		ModTime: time.Unix(stat.Mtim.Unix()).UTC(),
		Mode:    fs.FileMode(stat.Mode & 0o777),
	}
	if p != "" {
		file.Name = path.Base(p)
	}
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		file.Type, file.Size = TypeFile, stat.Size
	case unix.S_IFDIR:
		file.Type, file.Mode = TypeDir, file.Mode|fs.ModeDir
	case unix.S_IFLNK:
		file.Type, file.Mode = TypeLink, file.Mode|fs.ModeSymlink
	case unix.S_IFIFO:
		file.Type, file.Mode = TypeOther, file.Mode|fs.ModeNamedPipe
	case unix.S_IFSOCK:
		file.Type, file.Mode = TypeOther, file.Mode|fs.ModeSocket
	case unix.S_IFCHR:
		file.Type, file.Mode = TypeOther, file.Mode|fs.ModeDevice|fs.ModeCharDevice
	case unix.S_IFBLK:
		file.Type, file.Mode = TypeOther, file.Mode|fs.ModeDevice
	default:
		file.Type, file.Mode = TypeOther, file.Mode|fs.ModeIrregular
	}
	return file
}

// List calls yield for everything in the folder at path, and with recursive for
// everything below it, a folder before what is in it. Links are listed and not
// followed. The order within a folder is that of the file system, and what
// changes meanwhile may be listed or not. It holds no more than a page of names
// for each level, and ends when yield or ctx does, with their error.
//
// Errors: KindInvalid for a path that leads out or to a file, and for folders
// nested too deep; KindNotFound.
func (s *Store) List(ctx context.Context, o Object, path string, recursive bool, yield func(File) error) error {
	in, listed, err := s.resolveFolder(o, path)
	if err != nil {
		return err
	}
	defer in.close()
	visit := func(e entry) error { return yield(newFile(e.path, e.stat)) }
	if recursive {
		return walk(ctx, in, listed, visit)
	}
	return each(ctx, in, listed, 1, visit)
}

// Stat describes what path leads to, which is never a link: those that stay
// inside are followed, others refused.
//
// Errors: KindInvalid for a path that leads out; KindNotFound.
func (s *Store) Stat(_ context.Context, o Object, path string) (File, error) {
	at, err := s.resolve(o, path)
	if err != nil {
		return File{}, err
	}
	defer at.close()
	return newFile(at.path, at.stat), nil
}
