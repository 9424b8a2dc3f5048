package main

import (
	"bufio"
	"fmt"
	"io"
	"sync"
)

// output is standard output shared by the log and the plain lines. Writes are
// whole lines and never mix.
type output struct {
	mu    sync.Mutex
	w     io.Writer
	ended bool
}

// Write passes p on as one piece, and drops it after last.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return len(p), nil
	}
	return o.w.Write(p)
}

// last prints text as line does. Nothing is printed after it, whatever a
// request that was cut still has to say.
func (o *output) last(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, _ = io.WriteString(o.w, text+"\n")
	o.ended = true
}

// line prints text and a line end. A failed write has nowhere to be reported.
func (o *output) line(text string) {
	_, _ = io.WriteString(o, text+"\n")
}

// numbered prints "line 1" to "line n", buffered: a test of the log store may
// ask for millions.
func (o *output) numbered(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	w := bufio.NewWriterSize(o.w, 64<<10)
	for i := range n {
		_, _ = fmt.Fprintf(w, "line %d\n", i+1)
	}
	_ = w.Flush()
}
