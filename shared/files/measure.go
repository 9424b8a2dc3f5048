package files

import (
	"context"

	"golang.org/x/sys/unix"
)

// Size is how much an object takes.
type Size struct {
	// Bytes is what the file system has set aside for files and folders, as du
	// counts it. It is not the sum of the lengths of files: one with holes takes
	// less than its length, a small one takes a block. What several files share
	// by reflink counts for each of them.
	Bytes int64
	// Files is how many files there are, links and special files among them, and
	// folders not.
	Files int64
}

// maxHardLinks is how many files with several names are told apart in one
// measurement. Past it each name counts.
const maxHardLinks = 1 << 18

// Measure adds up what o takes, without opening a file. A file with several
// names counts once. It ends when ctx does, at the latest after one page of
// names.
//
// Errors: KindNotFound; KindInvalid when folders are nested too deep to be
// measured.
func (s *Store) Measure(ctx context.Context, o Object) (Size, error) {
	root, err := s.object(o)
	if err != nil {
		return Size{}, err
	}
	defer root.close()
	return measure(ctx, root)
}

func measure(ctx context.Context, root folder) (Size, error) {
	stat, err := statOf(root.File)
	if err != nil {
		return Size{}, pathError("", err)
	}
	size := Size{Bytes: allocated(stat)}
	type inode struct{ device, number uint64 }
	seen := map[inode]bool{}
	err = walk(ctx, root, "", func(e entry) error {
		if e.isFolder() {
			size.Bytes += allocated(e.stat)
			return nil
		}
		if e.stat.Nlink > 1 {
			file := inode{e.stat.Dev, e.stat.Ino}
			if seen[file] {
				return nil
			}
			if len(seen) < maxHardLinks {
				seen[file] = true
			}
		}
		size.Bytes += allocated(e.stat)
		size.Files++
		return nil
	})
	return size, err
}

// allocated returns the bytes set aside for a file; the unit of Blocks is fixed
// by Linux and is not the file system's.
func allocated(stat unix.Stat_t) int64 { return stat.Blocks * 512 }
