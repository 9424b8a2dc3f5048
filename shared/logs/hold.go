package logs

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/pods-service/pods/shared/pods"
)

// holding is a backlog that keeps within the memory of its reader: when there
// is none left, the oldest chunks have to go.
type holding struct {
	// makeRoom takes the oldest chunks off the backlog.
	makeRoom func(b *backlog, count int) error
	memory   chan struct{}

	mu      sync.Mutex // held while saving, too: reading waits then
	backlog *backlog
	tokens  int   // taken from memory
	failed  error // the first of makeRoom; nothing is saved after it
}

func (r *Reader) hold(b *backlog, makeRoom func(b *backlog, count int) error) *holding {
	return &holding{backlog: b, memory: r.memory, makeRoom: makeRoom}
}

// fill adds what source has beyond the cursor, until source ends. It returns
// the reason, io.EOF when there was nothing more.
func (h *holding) fill(source io.Reader, from pods.LogCursor) error {
	lines := newLineReader(source)
	skip := skipper{from: from}
	for {
		next, err := lines.next()
		if err != nil {
			return err
		}
		if skip.isOld(next) {
			continue
		}
		if err := h.add(next); err != nil {
			return err
		}
	}
}

func (h *holding) add(p piece) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failed == nil {
		h.backlog.add(p)
		h.failed = h.keepWithinMemory()
	}
	return h.failed
}

// saveEvery takes all whole lines off the backlog at every interval, until the
// function it returns is called. A failure cancels the reading.
func (h *holding) saveEvery(interval time.Duration, cancel context.CancelFunc) (stop func()) {
	if interval == 0 {
		return func() {}
	}
	ticker, quit := time.NewTicker(interval), make(chan struct{})
	var saving sync.WaitGroup
	saving.Go(func() {
		for {
			select {
			case <-ticker.C:
				if h.saveWhole() != nil {
					cancel()
					return
				}
			case <-quit:
				return
			}
		}
	})
	return func() {
		ticker.Stop()
		close(quit)
		saving.Wait()
	}
}

func (h *holding) saveWhole() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failed == nil {
		h.failed = h.makeRoom(h.backlog, h.backlog.splitWhole())
		h.releaseTo(max(len(h.backlog.chunks)-1, 0))
	}
	return h.failed
}

func (h *holding) keepWithinMemory() error {
	for {
		beyondFirst := len(h.backlog.chunks) - 1
		h.releaseTo(beyondFirst) // chunks may have dropped out
		if h.tokens == beyondFirst {
			return nil
		}
		select {
		case h.memory <- struct{}{}:
			h.tokens++
		default:
			if err := h.makeRoom(h.backlog, beyondFirst); err != nil {
				return err
			}
		}
	}
}

func (h *holding) release() { h.releaseTo(0) }

func (h *holding) releaseTo(tokens int) {
	for ; h.tokens > tokens; h.tokens-- {
		<-h.memory
	}
}

// skipper leaves out what was read before. A log is asked for from a whole
// second on, so it starts with lines that are known; from the first new line on
// all are, even where two streams got a little out of order.
type skipper struct {
	from    pods.LogCursor
	seen    int  // lines that carry the cursor's time
	skips   bool // the line that is being read is old
	arrived bool // at the first new line
}

func (s *skipper) isOld(p piece) bool {
	if p.start && !s.arrived {
		s.skips = p.at.Before(s.from.Last)
		if p.at.Equal(s.from.Last) && s.seen < s.from.Seen {
			s.seen++
			s.skips = true
		}
		s.arrived = !s.skips
	}
	return s.skips && !s.arrived
}
