package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/pods-service/pods/shared/pods"
)

// isNoFolder reports whether a folder could not be opened because there is
// something else, a link among them.
func isNoFolder(err error) bool {
	return errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP)
}

// pathError says what err, met at path in an object, means to a user. Errors
// that say it already, and those of ctx, stay as they are.
func pathError(path string, err error) error {
	if err == nil || pods.KindOf(err) != pods.KindInternal || isOver(err) {
		return err
	}
	errno, _ := errors.AsType[syscall.Errno](err)
	switch {
	case errors.Is(err, fs.ErrNotExist), errno == syscall.ENOTDIR:
		return pods.NotFound("No file or folder is at %q.", path)
	case errors.Is(err, errNotRegular):
		return because(pods.Invalid("%q is no regular file.", path), err)
	case errors.Is(err, errLeadsOut):
		return because(pods.Invalid("The path %q leads out: a link in it points outside.", path), err)
	case errno == syscall.ELOOP:
		return because(pods.Invalid("The path %q leads through too many links.", path), err)
	case errno == syscall.ENAMETOOLONG:
		return because(pods.Invalid("The path %q is too long or leads through too many links.", path), err)
	case errors.Is(err, fs.ErrPermission):
		return because(pods.Forbidden("The service may not use %q: the permissions of the file or of a folder above it do not let it.", path), err)
	case errno == syscall.EWOULDBLOCK, errno == syscall.EBUSY, errno == syscall.ETXTBSY:
		return because(pods.Conflict("%q is in use. Try again.", path), err)
	}
	return systemError(fmt.Sprintf("at path %q", path), err)
}

// systemError says what err means to a user where it is nobody's path that is
// to blame; what names what was tried.
func systemError(what string, err error) error {
	if err == nil || pods.KindOf(err) != pods.KindInternal || isOver(err) {
		return err
	}
	err = fmt.Errorf("%s: %w", what, err)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return pods.Unavailable("The storage of volumes is full. Remove what is not needed, or ask an operator for more.", err)
	case errors.Is(err, syscall.EFBIG):
		return because(pods.TooLarge("The file is larger than the storage of volumes takes."), err)
	case errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ESTALE), errors.Is(err, syscall.ENODEV):
		return pods.Unavailable("The storage of volumes cannot be used at the moment.", err)
	}
	return err
}

// because adds the cause, which is logged and not shown.
func because(e *pods.Error, cause error) *pods.Error {
	e.Err = cause
	return e
}

// isOver reports whether err is that of a context that has ended.
func isOver(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
