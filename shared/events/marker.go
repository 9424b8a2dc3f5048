package events

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// markTimeout bounds one statement that marks events.
	markTimeout = 10 * time.Second
	// markPause is how long the next mark waits after one, for more to go with
	// it. Marks right behind one another would take one of the few connections to
	// the database for themselves; the price is some more repeats after a process
	// was killed.
	markPause = 20 * time.Millisecond
)

// marker takes delivered events off the outbox, as many in one statement as
// were delivered while the one before it ran and in the pause after it.
type marker struct {
	outbox Outbox
	logger *slog.Logger
	done   func(ids []string) // called with every id once, marked or given up

	wake    chan struct{} // holds one token when pending is not empty; never closed, add may still be sending
	quit    chan struct{} // closed by close
	stopped chan struct{} // closed when run has returned

	mu      sync.Mutex
	pending []string
}

func newMarker(outbox Outbox, logger *slog.Logger, done func(ids []string)) *marker {
	m := &marker{
		outbox: outbox, logger: logger, done: done,
		wake: make(chan struct{}, 1), quit: make(chan struct{}), stopped: make(chan struct{}),
	}
	go m.run()
	return m
}

func (m *marker) add(id string) {
	m.mu.Lock()
	m.pending = append(m.pending, id)
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *marker) run() {
	defer close(m.stopped)
	for {
		select {
		case <-m.wake:
			m.markPending()
			time.Sleep(markPause)
		case <-m.quit:
			return
		}
	}
}

func (m *marker) markPending() {
	m.mu.Lock()
	ids := m.pending
	m.pending = nil
	m.mu.Unlock()
	if len(ids) > 0 {
		m.mark(ids)
	}
}

// mark gives up after one failure: the events are sent again by a later Flush,
// which their handlers bear.
func (m *marker) mark(ids []string) {
	ctx, cancel := context.WithTimeout(context.Background(), markTimeout)
	defer cancel()
	if err := m.outbox.MarkSent(ctx, ids); err != nil {
		m.logger.LogAttrs(ctx, slog.LevelWarn, "delivered events stay in the outbox",
			slog.Int("events", len(ids)), slog.Any("event_ids", ids), slog.Any("error", err))
	}
	m.done(ids)
}

// close must come after done has been called for every id added.
func (m *marker) close() {
	close(m.quit)
	<-m.stopped
}
