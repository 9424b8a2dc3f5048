package cache

import "time"

// SetPingEvery shortens the silence after which Redis is asked for a sign of
// life.
func (c *Cache) SetPingEvery(d time.Duration) { c.pingEvery = d }
