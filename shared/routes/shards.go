package routes

import (
	"hash/maphash"
	"iter"
	"maps"
)

// shardCount bounds what a change copies: the pointers of all shards and the
// content of one. With it, 10,000 hosts mean about twenty per shard.
const shardCount = 512

// shards is a map cut in parts, so that a copy of it can share all parts but
// those that differ. Copying the array is what makes the copy.
type shards[K comparable, V any] [shardCount]map[K]V

// ownership says what a write may do to the shard it falls in.
type ownership bool

const (
	copyShard ownership = false // other tables may share it
	ownShard  ownership = true
)

var seed = maphash.MakeSeed()

func shardOf[K comparable](key K) int {
	return int(maphash.Comparable(seed, key) % shardCount) //nolint:gosec // less than shardCount
}

func (s *shards[K, V]) get(key K) V { return s[shardOf(key)][key] }

func (s *shards[K, V]) set(key K, value V, own ownership) {
	i := shardOf(key)
	if s[i] == nil {
		s[i] = make(map[K]V, 1)
	} else if own == copyShard {
		s[i] = maps.Clone(s[i])
	}
	s[i][key] = value
}

func (s *shards[K, V]) remove(key K, own ownership) {
	i := shardOf(key)
	if _, found := s[i][key]; !found {
		return
	}
	if own == copyShard {
		s[i] = maps.Clone(s[i])
	}
	delete(s[i], key)
}

func (s *shards[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, shard := range s {
			for key, value := range shard {
				if !yield(key, value) {
					return
				}
			}
		}
	}
}
