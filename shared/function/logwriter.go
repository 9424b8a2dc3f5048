package function

import (
	"io"
	"os"
	"sync"
)

// maxWaiting bounds the lines that wait to be written, in bytes; whoever has one
// more waits as well.
const maxWaiting = 256 << 10

// lineWriter writes lines in the background: one at once, and those that come
// while it does so all together. A busy program has one write for many lines,
// and a quiet one loses none but in its last microseconds.
type lineWriter struct {
	out io.Writer

	mu      sync.Mutex
	changed sync.Cond // waiting has become shorter, or writing false
	waiting []byte
	writing bool // somebody writes
}

func newLineWriter(out io.Writer) *lineWriter {
	w := &lineWriter{out: out}
	w.changed.L = &w.mu
	return w
}

// standardError is where all loggers of the process write.
var standardError = newLineWriter(os.Stderr)

// FlushLog returns when everything that has been logged is written: the last
// thing before a process ends.
func FlushLog() { standardError.flush() }

// Write implements io.Writer and never fails: there is nobody to tell.
func (w *lineWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.waiting) > maxWaiting {
		w.changed.Wait()
	}
	w.waiting = append(w.waiting, line...)
	if !w.writing {
		w.writing = true
		go w.writeAll()
	}
	return len(line), nil
}

// writeAll writes until nothing waits.
func (w *lineWriter) writeAll() {
	var spare []byte
	for {
		w.mu.Lock()
		lines := w.waiting
		w.waiting = spare[:0]
		w.writing = len(lines) > 0
		w.changed.Broadcast()
		w.mu.Unlock()
		if len(lines) == 0 {
			return
		}
		_, _ = w.out.Write(lines)
		spare = lines
	}
}

func (w *lineWriter) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.writing {
		w.changed.Wait()
	}
}
