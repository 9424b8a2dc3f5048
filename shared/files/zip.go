package files

import (
	"archive/zip"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pods-service/pods/shared/pods"
)

// Zip writes the folder at path to w as a zip, as it reads it. Names in it are
// relative to the folder. Links and special files are left out. Options bound
// the zip; because containers write meanwhile, the bounds are looked at before
// the first byte and again on the way, where the zip then ends unfinished.
//
// An error of kind KindInvalid, KindNotFound or KindTooLarge that comes before
// the first write to w is one about the request; after it, the zip is spoilt
// and the connection is best cut.
//
// Errors: KindInvalid for a path that leads out or to a file; KindNotFound;
// KindTooLarge; KindForbidden for a file that the process may not read; those
// of w.
func (s *Store) Zip(ctx context.Context, o Object, path string, w io.Writer) error {
	in, _, err := s.resolveFolder(o, path)
	if err != nil {
		return err
	}
	defer in.close()

	bounds := zipBounds{entries: s.options.ZipEntries, bytes: s.options.ZipBytes}
	first := bounds
	if err := walk(ctx, in, "", first.take); err != nil {
		return err
	}

	z := zipper{bounds: bounds, out: zip.NewWriter(w), buffer: make([]byte, 128<<10)}
	z.out.RegisterCompressor(zip.Deflate, z.compressor)
	if err := walk(ctx, in, "", func(e entry) error { return z.add(ctx, e) }); err != nil {
		return err
	}
	return z.out.Close()
}

// zipBounds is what a zip may still take.
type zipBounds struct {
	entries int
	bytes   int64
}

// take counts e.
//
// Errors: KindTooLarge.
func (b *zipBounds) take(e entry) error {
	if !e.isFolder() && !e.isRegular() {
		return nil
	}
	if b.entries--; b.entries < 0 {
		return pods.TooLarge("The folder has too many files for one zip. Ask for a folder below it.")
	}
	if e.isRegular() && e.stat.Size > b.bytes {
		return pods.TooLarge("The files in the folder are too large for one zip. Ask for a folder below it, or file by file.")
	}
	if e.isRegular() {
		b.bytes -= e.stat.Size
	}
	return nil
}

type zipper struct {
	bounds zipBounds
	out    *zip.Writer
	flate  *flate.Writer // used for one entry after the other; each is large
	buffer []byte
}

// compressor is fast rather than good: compressing well takes more time than
// sending does.
func (z *zipper) compressor(w io.Writer) (io.WriteCloser, error) {
	if z.flate != nil {
		z.flate.Reset(w)
		return z.flate, nil
	}
	var err error
	z.flate, err = flate.NewWriter(w, flate.BestSpeed)
	return z.flate, err
}

// add writes e if it is a folder or a regular file.
func (z *zipper) add(ctx context.Context, e entry) error {
	if e.isFolder() {
		if err := z.bounds.take(e); err != nil {
			return err
		}
		_, err := z.out.CreateHeader(zipHeader(e.path+"/", e.stat))
		return err
	}
	if !e.isRegular() {
		return nil
	}
	file, stat, err := e.in.openRegular(e.name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotRegular) {
		return nil // it has been replaced since it was listed
	}
	if err != nil {
		return pathError(e.path, err)
	}
	defer func() { _ = file.Close() }()
	e.stat = stat
	if err := z.bounds.take(e); err != nil {
		return err
	}
	into, err := z.out.CreateHeader(zipHeader(e.path, stat))
	if err != nil {
		return err
	}
	// What is appended while it is read is not part of what was taken.
	content := reader{ctx: ctx, from: io.LimitReader(file, stat.Size)}
	if _, err := io.CopyBuffer(into, &content, z.buffer); err != nil {
		if content.err != nil {
			return pathError(e.path, content.err)
		}
		return fmt.Errorf("write zip: %w", err)
	}
	return nil
}

// zipHeader describes an entry. A backslash in a name would part folders where
// the zip is unpacked on Windows, and so lead out of it.
func zipHeader(name string, stat unix.Stat_t) *zip.FileHeader {
	header := &zip.FileHeader{
		Name:     strings.ReplaceAll(name, `\`, "_"),
		Modified: time.Unix(stat.Mtim.Unix()).UTC(),
		Method:   zip.Deflate,
	}
	mode := fs.FileMode(stat.Mode & 0o777)
	if strings.HasSuffix(name, "/") {
		mode |= fs.ModeDir
		header.Method = zip.Store
	}
	header.SetMode(mode)
	return header
}
