package acme

import (
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	firstPause   = time.Minute // doubles with each failure that follows
	longestPause = time.Hour
	maxPauses    = 10000
)

// pauses remembers hosts whose last order has failed. It is safe for concurrent
// use.
type pauses struct {
	now func() time.Time

	mu    sync.Mutex
	hosts *lru.LRU[string, pause]
}

type pause struct {
	failures int
	until    time.Time
}

func newPauses(now func() time.Time) *pauses {
	hosts, err := lru.NewLRU[string, pause](maxPauses, nil)
	if err != nil {
		panic(err) // only of a size below 1
	}
	return &pauses{now: now, hosts: hosts}
}

// paused reports whether nothing is to be ordered for a host yet.
func (p *pauses) paused(host string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	last, found := p.hosts.Get(host)
	return found && p.now().Before(last.until)
}

// begin starts the pause after a failure and returns how many there have been
// in a row, and how long the pause is.
func (p *pauses) begin(host string) (failures int, length time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	last, _ := p.hosts.Get(host)
	length = longestPause
	if last.failures < 6 { // 2^6 minutes are more than an hour
		length = min(firstPause<<last.failures, longestPause)
	}
	p.hosts.Add(host, pause{failures: last.failures + 1, until: p.now().Add(length)})
	return last.failures + 1, length
}

// clear forgets the failures of a host.
func (p *pauses) clear(host string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hosts.Remove(host)
}
