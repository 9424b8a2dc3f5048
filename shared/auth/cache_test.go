package auth

import (
	"crypto/sha256"
	"testing"
)

func TestTokenCacheDropsTheLeastRecentlyUsed(t *testing.T) {
	t.Parallel()

	digest := func(text string) [sha256.Size]byte { return sha256.Sum256([]byte(text)) }
	cache := newTokenCache(2)
	add := func(text string) { cache.add(&verifiedToken{digest: digest(text)}) }
	add("a")
	add("b")
	add("a") // again: nothing is dropped, and b is now the oldest
	add("c")
	for text, want := range map[string]bool{"a": true, "b": false, "c": true} {
		if _, found := cache.get(digest(text)); found != want {
			t.Errorf("%s found = %t, want %t", text, found, want)
		}
	}
	cache.remove(digest("a"))
	cache.remove(digest("a"))
	if _, found := cache.get(digest("a")); found {
		t.Error("a is found after it was removed")
	}
	if got := cache.recent.Len(); got != 1 || len(cache.entries) != got {
		t.Errorf("%d tokens in the list and %d in the map, want 1", got, len(cache.entries))
	}
}
