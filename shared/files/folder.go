package files

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	folderFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOCTTY | unix.O_CLOEXEC
	// ownMode is that of the folders that only the service uses. Others may pass
	// through: to mount, a node needs to, and as root of a share it is nobody.
	ownMode = 0o711
	// pageNames is how many names of a folder are held at a time.
	pageNames = 1024
)

// folder is an open folder. Its methods take names, never paths, and never
// follow a link: what they reach is in this very folder, wherever it may have
// been moved.
type folder struct{ *os.File }

func (f folder) fd() int { return int(f.Fd()) } //nolint:gosec // a descriptor is a small number

// close gives the handle back; for folders, which are only read, that cannot
// lose anything.
func (f folder) close() { _ = f.Close() }

// open opens the folder name.
//
// Errors: fs.ErrNotExist; ENOTDIR or ELOOP for anything but a folder.
func (f folder) open(name string) (folder, error) {
	file, err := f.openat(name, folderFlags|unix.O_NOFOLLOW, 0)
	return folder{file}, err
}

// reopen returns the same folder with a reading position of its own.
func (f folder) reopen() (folder, error) { return f.open(".") }

// ensure opens the folder name, and makes it with the mode, for good, if it is
// not there.
func (f folder) ensure(name string, mode fs.FileMode) (folder, error) {
	opened, err := f.open(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return opened, err
	}
	opened, err = f.make(name, mode)
	if errors.Is(err, fs.ErrExist) {
		return f.open(name) // another process has been faster
	}
	if err == nil {
		err = f.Sync()
	}
	return opened, err
}

// make makes the folder name and opens it.
//
// Errors: fs.ErrExist.
func (f folder) make(name string, mode fs.FileMode) (folder, error) {
	if err := named("mkdir", name, unix.Mkdirat(f.fd(), name, 0o700)); err != nil {
		return folder{}, err
	}
	made, err := f.open(name)
	if err != nil {
		return folder{}, err
	}
	// Set by itself, because what mkdir gives is cut by the process's mask.
	if err := made.Chmod(mode); err != nil {
		made.close()
		return folder{}, err
	}
	return made, nil
}

// create makes the file name for writing, closed to others until it is placed.
//
// Errors: fs.ErrExist.
func (f folder) create(name string) (*os.File, error) {
	return f.openat(name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
}

// openRegular opens the regular file name for reading.
//
// Errors: fs.ErrNotExist; errNotRegular for anything else than a regular file,
// which is then not opened.
func (f folder) openRegular(name string) (*os.File, unix.Stat_t, error) {
	handle, err := f.openat(name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, unix.Stat_t{}, err
	}
	defer func() { _ = handle.Close() }()
	return openHandle(handle)
}

// errNotRegular says that only regular files are opened.
var errNotRegular = errors.New("not a regular file")

// openHandle opens for reading what handle, opened with O_PATH, stands for.
// Nothing can be put in its place in between. O_NONBLOCK is for a container
// that holds a lease on its file: opening would wait for it to give way.
func openHandle(handle *os.File) (*os.File, unix.Stat_t, error) {
	stat, err := statOf(handle)
	if err != nil {
		return nil, stat, err
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, stat, errNotRegular
	}
	file, err := os.OpenFile(procPath(handle), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	return file, stat, err
}

// procPath names what is open as file, whatever has become of its path.
func procPath(file *os.File) string { return "/proc/self/fd/" + strconv.Itoa(int(file.Fd())) } //nolint:gosec // a descriptor is a small number

func (f folder) openat(name string, flags int, mode uint32) (*os.File, error) {
	var fd int
	err := again(func() (err error) {
		fd, err = unix.Openat(f.fd(), name, flags, mode)
		return err
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil //nolint:gosec // a descriptor is not negative
}

// stat describes name itself, also when it is a link.
func (f folder) stat(name string) (unix.Stat_t, error) {
	var stat unix.Stat_t
	err := again(func() error { return unix.Fstatat(f.fd(), name, &stat, unix.AT_SYMLINK_NOFOLLOW) })
	return stat, named("stat", name, err)
}

// unlink removes name unless it is a folder.
func (f folder) unlink(name string) error {
	return named("unlink", name, again(func() error { return unix.Unlinkat(f.fd(), name, 0) }))
}

// rmdir removes the empty folder name.
func (f folder) rmdir(name string) error {
	return named("rmdir", name, again(func() error { return unix.Unlinkat(f.fd(), name, unix.AT_REMOVEDIR) }))
}

// rename moves name to toName in the folder to. A file that is there is
// replaced; a folder replaces an empty folder only.
func (f folder) rename(name string, to folder, toName string) error {
	return named("rename", name, again(func() error { return unix.Renameat(f.fd(), name, to.fd(), toName) }))
}

// renameNew moves name to toName in the folder to, where there must be nothing.
// NFS cannot promise that by itself; there, two processes that move to one name
// at once are told apart only if the first one's folder is not empty.
//
// Errors: fs.ErrExist when there is something.
func (f folder) renameNew(name string, to folder, toName string) error {
	err := again(func() error { return unix.Renameat2(f.fd(), name, to.fd(), toName, unix.RENAME_NOREPLACE) })
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) {
		return named("rename", name, err)
	}
	switch _, err := to.stat(toName); {
	case err == nil:
		return named("rename", name, unix.EEXIST)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return f.rename(name, to, toName)
}

// names calls yield with all names in the folder, of which it holds a page at a
// time. The order is that of the file system. A folder that has been removed has
// none. A handle has one position, so one caller at a time may do this with it.
func (f folder) names(yield func(name string) error) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	for {
		page, err := f.Readdirnames(pageNames)
		for _, name := range page {
			if err := yield(name); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, fs.ErrNotExist) || err == nil && len(page) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// statOf describes what is open as file.
func statOf(file *os.File) (unix.Stat_t, error) {
	var stat unix.Stat_t
	err := again(func() error { return unix.Fstat(int(file.Fd()), &stat) }) //nolint:gosec // a descriptor is a small number
	return stat, named("stat", file.Name(), err)
}

// again repeats a call that a signal has interrupted.
func again(call func() error) error {
	for {
		if err := call(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// named says what failed at what, which system calls by themselves do not.
func named(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}
