// Package relay moves bytes between a visitor's connection and a pod's. Most
// such connections are silent most of the time, and thousands are open at once,
// so waiting costs little memory.
package relay

import (
	"io"
	"sync"
	"sync/atomic"
)

const (
	bufferSize = 32 << 10 // while much arrives
	// idleBufferSize is what each direction holds while it waits.
	idleBufferSize = 1 << 10
)

// Buffers is a pool of buffers of 32 KiB. It implements httputil.BufferPool
// without an allocation per use; the zero value is ready.
type Buffers struct{ pool sync.Pool }

// Get returns a buffer that nobody else uses.
func (b *Buffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return buffer[:]
	}
	return new([bufferSize]byte)[:]
}

// Put takes a buffer back that Get has returned.
func (b *Buffers) Put(buffer []byte) { b.pool.Put((*[bufferSize]byte)(buffer)) }

var shared Buffers

// Copy copies until from ends, as io.Copy does, and adds what it has copied to
// each tally on the way. It waits with a small buffer and takes a large one
// only while much arrives.
func Copy(to io.Writer, from io.Reader, tallies ...*atomic.Int64) (total int64, err error) {
	small := make([]byte, idleBufferSize)
	move := func(buffer []byte) (full bool, err error) {
		n, full, err := copyOnce(to, from, buffer)
		total += n
		for _, tally := range tallies {
			tally.Add(n)
		}
		return full, err
	}
	for {
		full, err := move(small)
		for full && err == nil { // more is likely to be there
			buffer := shared.Get()
			full, err = move(buffer)
			shared.Put(buffer)
		}
		if err == io.EOF { //nolint:errorlint // readers return it as it is
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// copyOnce copies what one read brings. full reports whether it filled the
// small buffer at least.
func copyOnce(to io.Writer, from io.Reader, buffer []byte) (copied int64, full bool, err error) {
	n, readErr := from.Read(buffer)
	if n > 0 {
		written, err := to.Write(buffer[:n])
		if err != nil {
			return int64(written), false, err
		}
	}
	return int64(n), n >= idleBufferSize, readErr
}
