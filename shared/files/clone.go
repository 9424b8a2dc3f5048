package files

import (
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/pods-service/pods/shared/pods"
)

// copyStep is how many bytes are copied between two looks at the context.
const copyStep = 32 << 20

// cloner copies the content of files, by reflink where it can.
type cloner struct {
	refused bool // the file system has no reflink
}

// clone gives the empty file to the content of from, and takes what that needs
// from limit, unless limit is below 0.
//
// Errors: KindTooLarge past the limit.
func (c *cloner) clone(ctx context.Context, to, from *os.File, stat unix.Stat_t, limit *int64) error {
	if !c.refused {
		if err := take(limit, allocated(stat)); err != nil {
			return err
		}
		err := again(func() error { return unix.IoctlFileClone(fd(to), fd(from)) })
		if err == nil || isFull(err) {
			return err
		}
		give(limit, allocated(stat))
		c.refused = cannotClone(err)
	}
	return copyData(ctx, to, from, stat.Size, limit)
}

// cannotClone reports whether err says that no other file between the two
// places will fare better.
func cannotClone(err error) bool {
	return errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EXDEV) || errors.Is(err, unix.ENOSYS)
}

func isFull(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }

// copyData copies the first size bytes of from and leaves holes where they are:
// a file of some petabytes that are all hole is made in a moment by any
// container. Within one file system the kernel copies (copy_file_range).
func copyData(ctx context.Context, to, from *os.File, size int64, limit *int64) error {
	end := int64(0)
	for end < size {
		start, stop := nextData(from, end, size)
		if start >= size {
			break
		}
		n, err := copyRange(ctx, to, from, start, stop, limit)
		if err != nil {
			return err
		}
		if n < stop-start { // it has been cut short meanwhile
			return to.Truncate(start + n)
		}
		end = stop
	}
	return to.Truncate(size)
}

// nextData returns where the first data at or after offset are. Where the file
// system does not say, everything is data.
func nextData(file *os.File, offset, size int64) (start, stop int64) {
	start, err := unix.Seek(fd(file), offset, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return size, size
	}
	if err != nil {
		return offset, size
	}
	stop, err = unix.Seek(fd(file), start, unix.SEEK_HOLE)
	if err != nil || stop > size || stop <= start {
		stop = size
	}
	return start, stop
}

// copyRange copies what is from start to stop to the same place.
func copyRange(ctx context.Context, to, from *os.File, start, stop int64, limit *int64) (int64, error) {
	if _, err := from.Seek(start, io.SeekStart); err != nil {
		return 0, err
	}
	if _, err := to.Seek(start, io.SeekStart); err != nil {
		return 0, err
	}
	done := int64(0)
	for start+done < stop {
		if err := ctx.Err(); err != nil {
			return done, err
		}
		step := min(copyStep, stop-start-done)
		if err := take(limit, step); err != nil {
			return done, err
		}
		n, err := to.ReadFrom(io.LimitReader(from, step))
		done += n
		if err != nil || n < step {
			return done, err
		}
	}
	return done, nil
}

// take lowers what is left of the limit.
//
// Errors: KindTooLarge when that is not enough.
func take(limit *int64, bytes int64) error {
	switch {
	case *limit < 0:
		return nil
	case bytes > *limit:
		return errLimit()
	}
	*limit -= bytes
	return nil
}

func errLimit() error { return pods.TooLarge("What is copied is larger than is allowed here.") }

// give takes back take.
func give(limit *int64, bytes int64) {
	if *limit >= 0 {
		*limit += bytes
	}
}
