package cache

import (
	"context"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/pods-service/pods/shared/pods"
)

// Spending is what was taken from one bucket since it was last told.
type Spending struct {
	Bucket string // its name, without the prefix of the cache
	Rate   float64
	Burst  int // tokens that fit in
	Taken  int
}

// spend takes tokens out of buckets that fill up by themselves, by the clock of
// Redis, and returns what is left in each. A bucket may be overdrawn, by what it
// holds when full: then nobody gets anything until that is paid back.
var spend = redis.NewScript(`
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local left = {}
for i, key in ipairs(KEYS) do
  local rate, burst, taken = tonumber(ARGV[3*i-2]), tonumber(ARGV[3*i-1]), tonumber(ARGV[3*i])
  local bucket = redis.call('HMGET', key, 'tokens', 'at')
  local tokens = tonumber(bucket[1]) or burst
  local passed = math.max(0, now - (tonumber(bucket[2]) or now))
  tokens = math.max(math.min(burst, tokens + passed * rate) - taken, -burst)
  redis.call('HSET', key, 'tokens', tostring(tokens), 'at', string.format('%.6f', now))
  redis.call('PEXPIRE', key, math.ceil((burst - tokens) / rate * 1000) + 1000)
  left[i] = tostring(tokens)
end
return left`)

// Spend takes from buckets that all instances share, and returns how many
// tokens each has left, less than nothing for one that is overdrawn.
//
// Errors: KindUnavailable; then it is not known whether anything was taken.
func (c *Cache) Spend(ctx context.Context, list []Spending) ([]float64, error) {
	keys, args := make([]string, len(list)), make([]any, 0, 3*len(list))
	for i, spending := range list {
		keys[i] = c.buckets + spending.Bucket
		args = append(args, spending.Rate, spending.Burst, spending.Taken)
	}
	left, err := spend.Run(ctx, c.client, keys, args...).StringSlice()
	if err != nil {
		return nil, pods.Unavailable("Redis cannot be reached.", err)
	}
	tokens := make([]float64, len(left))
	for i, text := range left {
		if tokens[i], err = strconv.ParseFloat(text, 64); err != nil {
			return nil, pods.Unavailable("Redis gave no number.", err)
		}
	}
	return tokens, nil
}
