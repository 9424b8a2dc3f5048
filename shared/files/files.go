// Package files keeps the files of volumes and snapshots on one shared file
// system, below one base folder:
//
//	<base>/<tenant>/volumes/<id>
//	<base>/<tenant>/snapshots/<id>
//
// Users write into these folders through the API, and their containers write
// into them directly, so whatever lies in one is hostile until shown otherwise.
// The rules that keep it in:
//
//   - Tenant, kind and id are plain names, opened one below the other without
//     following links.
//   - Paths are resolved by os.Root. Links that stay inside an object are
//     followed where a path names them, others are refused. A path that is
//     written to never leads through a link.
//   - Walks (lists, zips, copies, sizes, purges) never follow links and never
//     enter another file system. They hold one open file for each level, and end
//     at MaxDepth; a purge reaches any depth.
//   - Only regular files are opened. Whether something is one is seen on a handle
//     that opens nothing (O_PATH), and that handle is what is then opened, through
//     /proc/self/fd. Devices, pipes and sockets are listed and never touched.
//   - A hard link is a regular file like any other: within one file system none
//     can be told from the other. A container cannot make one that leads out,
//     because Linux refuses links across mounts and every volume is a mount of its
//     own. Uploads replace names and never write into a file that is there, so a
//     hard link does not carry them elsewhere either.
//
// What is being written lies in <base>/<tenant>/.staging and gets into its place
// by one rename between open folders. What is removed goes to
// <base>/<tenant>/.quarantine, and from there to <base>/<tenant>/.doomed, where
// it is deleted step by step. No container mounts any of the three. A process
// that is killed leaves an object as it was or as it was asked to be, and at
// most something for Sweep and Purge to clear away.
//
// The package needs Linux and a mounted /proc. All times are those of
// Options.Now, except those of the files themselves.
package files

import (
	"fmt"
	"io/fs"
	"os"
	"time"
)

// MaxDepth is how many folders deep a path may lead, and how deep walks go. A
// container can nest folders deeper than any path can name.
const MaxDepth = 256

// Options are an operator's choices. The zero value is good for use.
type Options struct {
	// Now is the clock by which what is staged and removed gets its age; nil
	// means time.Now.
	Now func() time.Time
	// Mode is that of the folder of a new volume. 0 means 0777: containers run
	// as whatever user their image names, and only those that mount a volume see
	// it at all.
	Mode fs.FileMode
	// UID and GID own the folder of a new volume; 0 leaves it to the user that
	// the process runs as. Giving it away takes the right to (CAP_CHOWN).
	UID, GID int
	// ZipEntries and ZipBytes bound one zip: how many files and folders, and how
	// many bytes before compression. 0 means 100,000 and 16 GiB.
	ZipEntries int
	ZipBytes   int64
	// CopyEntries bounds the files and folders of one copy. 0 means 1,000,000.
	CopyEntries int
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Mode == 0 {
		o.Mode = 0o777
	}
	if o.ZipEntries == 0 {
		o.ZipEntries = 100_000
	}
	if o.ZipBytes == 0 {
		o.ZipBytes = 16 << 30
	}
	if o.CopyEntries == 0 {
		o.CopyEntries = 1_000_000
	}
	return o
}

// Store is the files of all tenants. Any number of goroutines, and any number
// of processes on the same base folder, may use it at once.
type Store struct {
	base    folder
	options Options
}

// Open returns the store below the folder base, which it makes if it is not
// there. base itself may be a link.
func Open(base string, options Options) (*Store, error) {
	if err := os.MkdirAll(base, ownMode); err != nil {
		return nil, fmt.Errorf("make the base folder of volumes: %w", err)
	}
	root, err := os.OpenFile(base, folderFlags, 0)
	if err != nil {
		return nil, fmt.Errorf("open the base folder of volumes: %w", err)
	}
	return &Store{base: folder{root}, options: options.withDefaults()}, nil
}

// Close ends the use of the base folder. Calls under way fail.
func (s *Store) Close() error { return s.base.Close() }
