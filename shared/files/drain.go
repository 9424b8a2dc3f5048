package files

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// doomedFolder holds what is being deleted. Nothing in it is ever restored.
const doomedFolder = ".doomed"

// drain deletes what is in the folder doomed, and goes on after what it cannot
// delete. A folder inside a folder that is not empty is moved up into doomed
// first, so that however deep folders are nested, few are open at a time, and
// what a killed drain leaves is again a folder of doomed things. What is mounted
// can neither be moved nor removed, so it is never entered.
//
// Errors: that of ctx; the first of what could not be deleted.
func drain(ctx context.Context, doomed folder) error {
	for {
		d := drainer{ctx: ctx, doomed: doomed}
		err := doomed.names(func(name string) error {
			d.note(d.drainOne(name))
			return ctx.Err()
		})
		if err != nil || !d.progress {
			return errors.Join(err, d.failed)
		}
	}
}

// drainer is one pass over doomed.
type drainer struct {
	ctx      context.Context //nolint:containedctx // it lives as long as one pass
	doomed   folder
	progress bool  // something has been deleted or moved
	failed   error // the first
}

func (d *drainer) note(err error) {
	d.progress = d.progress || err == nil
	if d.failed == nil && !errors.Is(err, d.ctx.Err()) {
		d.failed = err
	}
}

// drainOne deletes name in doomed; folders that were in it may then be in
// doomed.
func (d *drainer) drainOne(name string) error {
	err := d.doomed.unlink(name)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	in, err := d.doomed.open(name)
	if errors.Is(err, fs.ErrPermission) {
		// A container has closed its folder, and the service is not root. doomed
		// is the service's own, so the name is still that folder's.
		if err := unix.Fchmodat(d.doomed.fd(), name, 0o700, 0); err != nil {
			return named("chmod", name, err)
		}
		in, err = d.doomed.open(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.close()
	if err := d.empty(in); err != nil {
		return err
	}
	if err := d.doomed.rmdir(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// empty deletes what is in the folder, and moves folders that are not empty to
// doomed. It goes over the folder until nothing is left: what one pass may miss
// while names vanish, the next one finds.
func (d *drainer) empty(in folder) error {
	for {
		pass := drainer{ctx: d.ctx, doomed: d.doomed}
		err := in.names(func(name string) error {
			pass.note(pass.discard(in, name))
			return d.ctx.Err()
		})
		d.progress = d.progress || pass.progress
		if err != nil || !pass.progress {
			return errors.Join(err, pass.failed)
		}
	}
}

// discard deletes name in the folder, or moves it to doomed if it is a folder
// with something in it.
func (d *drainer) discard(in folder, name string) error {
	err := in.unlink(name)
	if errors.Is(err, unix.EISDIR) {
		err = in.rmdir(name)
	}
	if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) {
		err = in.rename(name, d.doomed, rand.Text())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
