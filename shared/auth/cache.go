package auth

import (
	"container/list"
	"crypto/sha256"
	"sync"
)

// tokenCache remembers the newest tokens whose signatures were verified, and
// with which keys. It holds digests of tokens, not tokens.
type tokenCache struct {
	limit int

	mu      sync.Mutex
	recent  list.List // of *verifiedToken, most recently used first
	entries map[[sha256.Size]byte]*list.Element
}

// verifiedToken is what a good signature vouches for. It never changes.
type verifiedToken struct {
	digest [sha256.Size]byte
	key    [sha256.Size]byte // fingerprint of the key that verified it
	rules  TokenRules        // by which its claims were read
	claims tokenClaims
}

func newTokenCache(limit int) *tokenCache {
	return &tokenCache{limit: limit, entries: make(map[[sha256.Size]byte]*list.Element)}
}

func (c *tokenCache) get(digest [sha256.Size]byte) (*verifiedToken, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	element, ok := c.entries[digest]
	if !ok {
		return nil, false
	}
	c.recent.MoveToFront(element)
	return element.Value.(*verifiedToken), true
}

func (c *tokenCache) add(token *verifiedToken) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if element, ok := c.entries[token.digest]; ok {
		element.Value = token
		c.recent.MoveToFront(element)
		return
	}
	c.entries[token.digest] = c.recent.PushFront(token)
	if c.recent.Len() > c.limit {
		c.drop(c.recent.Back())
	}
}

func (c *tokenCache) remove(digest [sha256.Size]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if element, ok := c.entries[digest]; ok {
		c.drop(element)
	}
}

// drop must be called with mu held.
func (c *tokenCache) drop(element *list.Element) {
	c.recent.Remove(element)
	delete(c.entries, element.Value.(*verifiedToken).digest)
}
