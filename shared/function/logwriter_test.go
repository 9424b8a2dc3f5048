package function

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// gate is a writer that waits before each write until it is let through.
type gate struct {
	bytes.Buffer
	writes  int
	through chan struct{}
}

func (g *gate) Write(lines []byte) (int, error) {
	<-g.through
	g.writes++
	return g.Buffer.Write(lines)
}

// TestLinesAreWrittenTogether: what is logged while a line is being written
// follows in one write, whole and in order.
func TestLinesAreWrittenTogether(t *testing.T) {
	t.Parallel()

	g := &gate{through: make(chan struct{})}
	w := newLineWriter(g)
	var want strings.Builder
	for i := range 100 {
		line := fmt.Sprintln("line", i)
		want.WriteString(line)
		_, _ = w.Write([]byte(line))
	}
	close(g.through)
	w.flush()
	if got := g.String(); got != want.String() {
		t.Errorf("written:\n%s", got)
	}
	if g.writes > 2 {
		t.Errorf("%d writes, want one for the first and one for the others", g.writes)
	}
}

// TestWritersWaitForRoom: lines that cannot be written do not fill the memory,
// and none is lost.
func TestWritersWaitForRoom(t *testing.T) {
	t.Parallel()

	g := &gate{through: make(chan struct{})}
	w := newLineWriter(g)
	line := append(bytes.Repeat([]byte("x"), 1023), '\n')
	const lines = 4 * maxWaiting >> 10
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range lines / 4 {
				_, _ = w.Write(line)
			}
		})
	}
	for range 3 {
		g.through <- struct{}{}
		w.mu.Lock()
		if len(w.waiting) > maxWaiting+1024 {
			t.Errorf("%d bytes wait", len(w.waiting))
		}
		w.mu.Unlock()
	}
	close(g.through)
	group.Wait()
	w.flush()
	if got := g.Len(); got != lines<<10 {
		t.Errorf("%d bytes written, want %d", got, lines<<10)
	}
}
