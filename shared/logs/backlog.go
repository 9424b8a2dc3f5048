package logs

import (
	"slices"
	"time"

	"github.com/pods-service/pods/shared/pods"
)

const (
	// chunkSize is the size at which a chunk is full, at the next line end.
	chunkSize = 256 << 10
	// maxChunkSize is the size at which a chunk is full within a line, too.
	maxChunkSize = 1 << 20
)

// backlog holds the newest limit bytes of what was read and not stored yet, as
// chunks. Memory grows with what is in it and is reused when old chunks drop
// out.
type backlog struct {
	limit  int            // bytes of text; one chunk more may be held
	from   pods.LogCursor // the place before the oldest chunk
	cursor pods.LogCursor // the place after the last line end
	at     time.Time      // of the line that was added last
	chunks []chunk        // oldest first; pieces go to the last
	size   int            // bytes of text in all chunks
	spare  []byte         // of a chunk that dropped out
}

type chunk struct {
	first, last time.Time
	text        []byte
	whole       int            // bytes of text up to the last line end
	to          pods.LogCursor // the place after that line end
}

func newBacklog(cursor pods.LogCursor, limit int) *backlog {
	return &backlog{limit: limit, from: cursor, cursor: cursor}
}

// add appends a piece.
func (b *backlog) add(p piece) {
	if b.isFull(p.start) {
		b.open(p.at)
	}
	b.at = p.at
	last := &b.chunks[len(b.chunks)-1]
	last.text = append(last.text, p.text...)
	b.size += len(p.text)
	if p.at.After(last.last) {
		last.last = p.at
	}
	if p.end {
		b.endLine()
	}
	for len(b.chunks) > 1 && b.size-len(b.chunks[0].text) >= b.limit {
		b.dropOldest()
	}
}

func (b *backlog) isFull(lineStarts bool) bool {
	if len(b.chunks) == 0 {
		return true
	}
	size := len(b.chunks[len(b.chunks)-1].text)
	return size >= maxChunkSize || lineStarts && size >= chunkSize
}

func (b *backlog) open(at time.Time) {
	text := b.spare
	if text == nil && len(b.chunks) > 0 { // the output is not small: do not grow step by step
		text = make([]byte, 0, chunkSize+pieceSize)
	}
	b.chunks = append(b.chunks, chunk{first: at, last: at, text: text[:0], to: b.cursor})
	b.spare = nil
}

// endLine moves the cursor past the line that was added last. Lines of two
// streams may be a little out of order: an older one does not move it.
func (b *backlog) endLine() {
	switch {
	case b.at.After(b.cursor.Last):
		b.cursor = pods.LogCursor{Last: b.at, Seen: 1}
	case b.at.Equal(b.cursor.Last):
		b.cursor.Seen++
	}
	last := &b.chunks[len(b.chunks)-1]
	last.whole, last.to = len(last.text), b.cursor
}

// dropOldest forgets the oldest chunk and keeps its memory for the next.
func (b *backlog) dropOldest() {
	b.size -= len(b.chunks[0].text)
	b.spare = b.chunks[0].text
	b.chunks[0] = chunk{}
	b.chunks = b.chunks[1:]
}

// splitWhole sees to it that a line that is still being read does not share a
// chunk with whole ones, and returns how many chunks hold nothing but those.
// While a line fills a chunk of its own, none is said to.
func (b *backlog) splitWhole() int {
	if len(b.chunks) == 0 {
		return 0
	}
	last := &b.chunks[len(b.chunks)-1]
	switch last.whole {
	case len(last.text):
		return len(b.chunks)
	case 0:
		return 0
	}
	rest := slices.Clone(last.text[last.whole:])
	last.text = last.text[:last.whole]
	b.chunks = append(b.chunks, chunk{first: b.at, last: b.at, text: rest, to: b.cursor})
	return len(b.chunks) - 1
}

// finish settles what becomes of a line at the end that has no line end: it is
// whole when the container writes no more, else it is left to be read again.
func (b *backlog) finish(whole bool) {
	for len(b.chunks) > 0 {
		last := &b.chunks[len(b.chunks)-1]
		switch {
		case last.whole == len(last.text):
			return
		case whole:
			b.endLine()
			return
		case last.whole > 0:
			last.text = last.text[:last.whole]
			return
		}
		b.chunks = b.chunks[:len(b.chunks)-1]
	}
}
