package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// lock waits until no other process changes the cluster, and keeps others from
// doing so until unlock is called or this process ends.
func (c *Cluster) lock(ctx context.Context) (unlock func(), err error) {
	path := c.layout.Run + ".lock"
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // a system folder such as /run
		return nil, fmt.Errorf("lock the cluster: %w", err)
	}
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for told := false; ; {
		file, err := tryLock(path)
		if err == nil {
			return func() {
				_ = os.Remove(path) // while it is locked, see tryLock
				_ = file.Close()
			}, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock the cluster: %w", err)
		}
		if !told {
			fmt.Fprintln(c.out, "waiting for another command that is changing the cluster")
			told = true
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("lock the cluster: another command holds %s: %w", path, ctx.Err())
		case <-ticker.C:
		}
	}
}

// tryLock returns the locked file, or EWOULDBLOCK. The holder removes the file
// in the end: who locked it meanwhile has a file nobody else finds, so it
// counts only when the path still leads to it.
func tryLock(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	locked, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if current, err := os.Stat(path); err != nil || !os.SameFile(locked, current) {
		_ = file.Close() // nothing was written
		return nil, unix.EWOULDBLOCK
	}
	return file, nil
}
