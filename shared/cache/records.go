package cache

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pods-service/pods/shared/pods"
)

// Record is a value that instances share. Its kind and name together are its
// only one.
type Record struct {
	Kind  string
	Name  string
	Owner string // of its kind, may be empty
	Value []byte
}

var errNoRecord = pods.NotFound("There is no such record.")

// Each kind and owner has an index of names with the time, in milliseconds, at
// which their records end. All keys of one deployment are in one slot of a
// cluster.
func (c *Cache) recordKey(kind, name string) string { return c.records + kind + ":record:" + name }
func (c *Cache) indexKey(kind, owner string) string { return c.records + kind + ":index:" + owner }

var addRecord = redis.NewScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local name, owner, value, most, life = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
if redis.call('EXISTS', KEYS[1]) == 1 then return 'taken' end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if redis.call('ZCARD', KEYS[2]) >= most then return 'full' end
redis.call('HSET', KEYS[1], 'owner', owner, 'value', value)
if life > 0 then
  redis.call('PEXPIRE', KEYS[1], life)
  redis.call('ZADD', KEYS[2], now + life, name)
else
  redis.call('ZADD', KEYS[2], '+inf', name)
end
return 'added'`)

// AddRecord keeps a record for life, or as long as Redis keeps anything when that
// is 0.
//
// Errors: KindConflict when there is one of its kind and name, KindExhausted when
// its owner has most of the kind; KindUnavailable, and then it is not known
// whether it was added.
func (c *Cache) AddRecord(ctx context.Context, r Record, most int, life time.Duration) error {
	keys := []string{c.recordKey(r.Kind, r.Name), c.indexKey(r.Kind, r.Owner)}
	result, err := addRecord.Run(ctx, c.client, keys, r.Name, r.Owner, r.Value, most, life.Milliseconds()).Text()
	switch {
	case err != nil:
		return pods.Unavailable("Redis cannot be reached.", err)
	case result == "taken":
		return pods.Conflict("There is such a record already.")
	case result == "full":
		return pods.Exhausted("There are %d such records already.", most)
	}
	return nil
}

// Record returns a record.
//
// Errors: KindNotFound, KindUnavailable.
func (c *Cache) Record(ctx context.Context, kind, name string) (Record, error) {
	return readRecord(c.client.HMGet(ctx, c.recordKey(kind, name), "owner", "value"), kind, name)
}

func readRecord(answer *redis.SliceCmd, kind, name string) (Record, error) {
	fields, err := answer.Result()
	if err != nil {
		return Record{}, pods.Unavailable("Redis cannot be reached.", err)
	}
	owner, isOwned := fields[0].(string)
	value, isThere := fields[1].(string)
	if !isOwned || !isThere {
		return Record{}, errNoRecord
	}
	return Record{Kind: kind, Name: name, Owner: owner, Value: []byte(value)}, nil
}

// Records returns the records of a kind that an owner has; those that never end
// come last, by name.
//
// Errors: KindUnavailable.
func (c *Cache) Records(ctx context.Context, kind, owner string) ([]Record, error) {
	names, err := c.client.ZRange(ctx, c.indexKey(kind, owner), 0, -1).Result()
	if err != nil || len(names) == 0 {
		return nil, unavailable(err)
	}
	answers := make([]*redis.SliceCmd, len(names))
	_, err = c.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, name := range names {
			answers[i] = pipe.HMGet(ctx, c.recordKey(kind, name), "owner", "value")
		}
		return nil
	})
	if err != nil {
		return nil, unavailable(err)
	}
	var list []Record
	for i, name := range names {
		record, err := readRecord(answers[i], kind, name)
		if err == nil && record.Owner == owner { // it may have gone since
			list = append(list, record)
		}
	}
	return list, nil
}

func unavailable(err error) error {
	if err == nil {
		return nil
	}
	return pods.Unavailable("Redis cannot be reached.", err)
}

var replaceRecord = redis.NewScript(`
local is = redis.call('HMGET', KEYS[1], 'owner', 'value')
if is[1] ~= ARGV[1] or is[2] ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'value', ARGV[3])
return 1`)

// ReplaceRecord gives a record that is still as r has it another value.
//
// Errors: KindConflict when it is not, KindUnavailable.
func (c *Cache) ReplaceRecord(ctx context.Context, r Record, value []byte) error {
	done, err := replaceRecord.Run(ctx, c.client, []string{c.recordKey(r.Kind, r.Name)}, r.Owner, r.Value, value).Bool()
	if err != nil {
		return unavailable(err)
	}
	if !done {
		return pods.Conflict("The record has changed. Try again.")
	}
	return nil
}

var takeRecord = redis.NewScript(`
local is = redis.call('HMGET', KEYS[1], 'owner', 'value')
if is[1] ~= ARGV[1] then return false end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[2])
return is[2]`)

// TakeRecord removes a record of an owner and returns it, to one caller alone.
//
// Errors: KindNotFound, for another owner's too; KindUnavailable, and then it is
// not known whether it was removed.
func (c *Cache) TakeRecord(ctx context.Context, kind, owner, name string) (Record, error) {
	value, err := takeRecord.Run(ctx, c.client, []string{c.recordKey(kind, name), c.indexKey(kind, owner)}, owner, name).Text()
	if errors.Is(err, redis.Nil) {
		return Record{}, errNoRecord
	}
	if err != nil {
		return Record{}, unavailable(err)
	}
	return Record{Kind: kind, Name: name, Owner: owner, Value: []byte(value)}, nil
}
