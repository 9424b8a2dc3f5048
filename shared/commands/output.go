package commands

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
)

// output keeps the first bytes of what is written to it and drops the rest, so
// that a program that writes without end neither fails nor fills the memory. A
// program that is given up on may still write.
type output struct {
	mu      sync.Mutex
	limit   int
	kept    bytes.Buffer
	dropped int64
}

// Write implements io.Writer; it never fails.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	keep := min(len(p), o.limit-o.kept.Len())
	o.kept.Write(p[:keep])
	o.dropped += int64(len(p) - keep)
	return len(p), nil
}

// text returns what was kept as text, and says when that is not all.
func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := strings.ToValidUTF8(o.kept.String(), "\uFFFD")
	if o.dropped > 0 {
		text += fmt.Sprintf("\n[%d more bytes were left out]", o.dropped)
	}
	return text
}
