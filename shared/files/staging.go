package files

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	stagingFolder = ".staging"
	// staged is what the thing being made is called in its stage.
	staged = "staged"
	// stageTime is the first part of a stage's name: when it was made.
	stageTime = "20060102T150405Z"
	// maxCleaning bounds the time in which an operation clears away what it has
	// staged; Sweep does what is left.
	maxCleaning = 30 * time.Second
)

// stage is a folder in which one operation makes what it then moves into place.
// It is locked while the operation lasts; the lock ends with the process.
type stage struct {
	folder
	above folder
	name  string
}

// stage makes a new stage for the tenant. The caller ends it.
func (s *Store) stage(tenant string) (*stage, error) {
	above, err := s.makeOwn(tenant, stagingFolder)
	if err != nil {
		return nil, systemError("open the staging folder", err)
	}
	name := s.options.Now().UTC().Format(stageTime) + "." + rand.Text()
	made, err := above.make(name, 0o700)
	if err != nil {
		above.close()
		return nil, systemError("make a staging folder", err)
	}
	// Some network file systems cannot lock folders; there, age alone has to
	// tell what is left over.
	_ = unix.Flock(made.fd(), unix.LOCK_EX|unix.LOCK_NB)
	return &stage{folder: made, above: above, name: name}, nil
}

// end removes the stage with what is left in it. What cannot be removed now is
// for Sweep.
func (st *stage) end() {
	defer st.above.close()
	defer st.close()
	if st.above.rmdir(st.name) == nil {
		return
	}
	// The request may be over because its context is.
	ctx, cancel := context.WithTimeout(context.Background(), maxCleaning)
	defer cancel()
	if drain(ctx, st.folder) == nil {
		_ = st.above.rmdir(st.name)
	}
}

// Sweep removes what uploads, copies and creations that were killed have left
// behind, if they began before olderThan, and returns how many there were. It
// leaves alone what is still at work, however old. It removes nothing that is
// part of an object.
func (s *Store) Sweep(ctx context.Context, olderThan time.Time) (int, error) {
	count := 0
	err := s.eachTenant(ctx, func(name string, tenant folder) error {
		n, err := s.sweepTenant(ctx, tenant, olderThan)
		count += n
		return err
	})
	return count, err
}

func (s *Store) sweepTenant(ctx context.Context, tenant folder, olderThan time.Time) (int, error) {
	staging, err := tenant.open(stagingFolder)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer staging.close()
	count := 0
	err = staging.names(func(name string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		text, _, _ := strings.Cut(name, ".")
		began, err := time.Parse(stageTime, text)
		if err != nil || !began.Before(olderThan) {
			return nil
		}
		swept, err := sweep(ctx, staging, name)
		if swept {
			count++
		}
		return err
	})
	return count, err
}

// sweep removes the stage name unless somebody is at work in it.
func sweep(ctx context.Context, staging folder, name string) (bool, error) {
	left, err := staging.open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer left.close()
	if errors.Is(unix.Flock(left.fd(), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK) {
		return false, nil
	}
	if err := drain(ctx, left); err != nil {
		return false, err
	}
	err = staging.rmdir(name)
	return err == nil, err
}

// eachTenant calls visit with the folder of every tenant, goes on after an
// error, and returns all of them. It ends when ctx does.
func (s *Store) eachTenant(ctx context.Context, visit func(name string, tenant folder) error) error {
	base, err := s.base.reopen()
	if err != nil {
		return systemError("open the base folder of volumes", err)
	}
	defer base.close()
	var failed []error
	err = base.names(func(name string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !plainName.MatchString(name) {
			return nil
		}
		tenant, err := base.open(name)
		if isNoFolder(err) || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			err = visit(name, tenant)
			tenant.close()
		}
		if err != nil {
			failed = append(failed, systemError("files of tenant "+name, err))
		}
		return nil
	})
	return errors.Join(append(failed, err)...)
}
