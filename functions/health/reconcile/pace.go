package reconcile

import (
	"sync"
	"time"
)

// pace keeps what is asked for again from being asked for too often.
type pace struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func newPace() *pace { return &pace{last: map[string]time.Time{}} }

// isDue reports whether key was last due at least every ago, and takes down
// that it is now.
func (p *pace) isDue(key string, now time.Time, every time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if last, found := p.last[key]; found && now.Sub(last) < every {
		return false
	}
	p.last[key] = now
	return true
}

// forget drops what was last due before then.
func (p *pace) forget(before time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, last := range p.last {
		if last.Before(before) {
			delete(p.last, key)
		}
	}
}
