package server

import (
	"net/netip"
	"sync"

	"github.com/pods-service/pods/shared/ratelimit"
)

// clients counts the open connections of each address, over all listeners.
type clients struct {
	limit int // 0 means none

	mu   sync.Mutex
	open map[netip.Addr]int
}

func newClients(limit int) *clients { return &clients{limit: limit, open: map[netip.Addr]int{}} }

// enter reports whether the visitor's address may have one more connection,
// which counts until it is closed. One without an address is not counted.
func (c *clients) enter(v *visitor) bool {
	if c.limit == 0 {
		return true
	}
	from, err := netip.ParseAddrPort(v.RemoteAddr().String())
	if err != nil {
		return true
	}
	client := ratelimit.Client(from.Addr())
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[client] >= c.limit {
		return false
	}
	c.open[client]++
	v.client, v.in = client, c
	return true
}

func (c *clients) leave(client netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[client]--; c.open[client] <= 0 {
		delete(c.open, client)
	}
}
