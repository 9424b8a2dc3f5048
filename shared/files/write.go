package files

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"os"

	"golang.org/x/sys/unix"

	"github.com/pods-service/pods/shared/pods"
)

// Write stores what r gives as the file at path, and makes the folders above it
// that are missing. The file is there whole, in one step together with those
// folders, once everything has been written and is safe on the disk; until then,
// and after every failure, what was there before stays. What was there may be
// anything but a folder: a link is replaced and not followed.
//
// Files and folders that are made belong to whom the folder they are made in
// belongs to, as far as the process may give them away, and are as open as that
// folder: who may write there may write them. A file that is replaced leaves
// its owner and permissions to the new one.
//
// limit is how many bytes r may give; below 0 there is none. The number returned
// is how many were stored.
//
// Errors: KindInvalid for a path that leads out or through a link or file, or to
// a folder; KindNotFound when o is not there; KindTooLarge past the limit;
// KindUnavailable when the storage is full; those of r, wrapped.
func (s *Store) Write(ctx context.Context, o Object, path string, r io.Reader, limit int64) (int64, error) {
	clean, err := cleanNewPath(path)
	if err != nil {
		return 0, err
	}
	root, err := s.object(o)
	if err != nil {
		return 0, err
	}
	defer root.close()
	// What cannot be placed is better refused before gigabytes have come.
	if err := checkPlace(root, clean); err != nil {
		return 0, err
	}
	stage, err := s.stage(o.Tenant)
	if err != nil {
		return 0, err
	}
	defer stage.end()
	file, err := stage.create(staged)
	if err != nil {
		return 0, systemError("stage an upload", err)
	}
	defer func() { _ = file.Close() }()

	n, err := store(ctx, file, r, limit)
	if err != nil {
		return 0, err
	}
	err = place(root, clean, stage, func(parent folder, name string) error { return adopt(parent, name, file) })
	if err != nil {
		return 0, err
	}
	return n, nil
}

// adopt gives the file the owner and permissions of the file that it is going
// to replace in parent, or if there is none those that new files get there.
func adopt(parent folder, name string, file *os.File) error {
	old, err := parent.stat(name)
	if err == nil && old.Mode&unix.S_IFMT == unix.S_IFREG {
		return resemble(file, old, 0o777)
	}
	like, err := statOf(parent.File)
	if err != nil {
		return err
	}
	return resemble(file, like, 0o666)
}

// store copies r into the file and on to the disk.
func store(ctx context.Context, file *os.File, r io.Reader, limit int64) (int64, error) {
	from := reader{ctx: ctx, from: r}
	if limit >= 0 && limit < math.MaxInt64 {
		from.from = io.LimitReader(r, limit+1)
	}
	// Forms give 4 KiB at a time.
	to := bufio.NewWriterSize(&diskWriter{file: file}, 256<<10)
	n, err := io.Copy(to, &from)
	if err == nil {
		err = to.Flush()
	}
	switch {
	case from.err != nil:
		return 0, fmt.Errorf("read what is to be stored: %w", from.err)
	case err != nil:
		return 0, systemError("write an upload", err)
	case limit >= 0 && n > limit:
		return 0, pods.TooLarge("The file is larger than the %d bytes that are allowed here.", limit)
	}
	return n, systemError("write an upload", file.Sync())
}
