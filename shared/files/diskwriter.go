package files

import (
	"os"

	"golang.org/x/sys/unix"
)

// flushStep is how many bytes are written before the disk is told to begin.
const flushStep = 16 << 20

// diskWriter writes to a file and lets the disk work while more is coming, so
// that the sync at the end, which has to wait for the disk, has little left.
type diskWriter struct {
	file           *os.File
	written, begun int64
}

func (w *diskWriter) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	w.written += int64(n)
	if pending := w.written - w.begun; pending >= flushStep {
		// It is a hint, and some file systems do not take it.
		_ = unix.SyncFileRange(int(w.file.Fd()), w.begun, pending, unix.SYNC_FILE_RANGE_WRITE) //nolint:gosec // a descriptor is a small number
		w.begun = w.written
	}
	return n, err
}
