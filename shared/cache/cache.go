// Package cache is the part of the service that lives in Redis: what may be
// lost at any moment without changing a result: the channel on which every
// instance hears that a pod has changed, where whoever hears nothing reads the
// store again from time to time, what callers have left of their rates, and the
// clients and codes of the development issuer, whose users begin anew when they
// are missing.
package cache

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/pods-service/pods/shared/pods"
)

const (
	dialTimeout = 2 * time.Second
	callTimeout = time.Second
	poolSize    = 8 // connections of one instance
)

// Options says which Redis to use and how.
type Options struct {
	// URL is redis://, rediss:// or unix://, as in
	// "unix:///run/redis.sock?db=1". Required.
	URL string
	// Prefix starts every key and channel; deployments that share a Redis need
	// different ones. Empty means "pods".
	Prefix string
	// Logger is required.
	Logger *slog.Logger
}

// Cache is a connection pool to one Redis. It is safe for concurrent use.
type Cache struct {
	client    *redis.Client
	channel   string
	buckets   string // prefix of their keys; the braces keep them together in a cluster
	records   string // the same
	pingEvery time.Duration
	logger    *slog.Logger
	counts    counts
}

type counts struct {
	published, publishErrors, received, malformed, interruptions atomic.Uint64
}

// Stats counts what happened since Open.
type Stats struct {
	Published     uint64 // changes that Redis has taken
	PublishErrors uint64 // changes that it has not
	Received      uint64 // changes heard
	Malformed     uint64 // messages that were no change
	Interruptions uint64 // times that a subscription was lost or not to be had
}

// Open returns a Cache and connects when it is first used, so a Redis that is
// down does not keep anybody from starting.
//
// Errors: KindInvalid when the URL cannot be read; the message leaves the URL
// out because it may hold a password.
func Open(options Options) (*Cache, error) {
	parsed, err := redis.ParseURL(options.URL)
	if err != nil {
		return nil, pods.Invalid("the Redis URL cannot be read: use redis://, rediss:// or unix://")
	}
	parsed.DialTimeout = dialTimeout
	parsed.ReadTimeout, parsed.WriteTimeout = callTimeout, callTimeout
	parsed.ContextTimeoutEnabled = true
	parsed.PoolSize = poolSize
	// Retries would only delay what the store answers as well.
	parsed.MaxRetries, parsed.DialerRetries = -1, 1
	parsed.DisableIdentity = true
	parsed.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	if options.Prefix == "" {
		options.Prefix = "pods"
	}
	silenceClient()
	return &Cache{
		client:    redis.NewClient(parsed),
		channel:   options.Prefix + ":changes:v1",
		buckets:   "{" + options.Prefix + ":rate:v1}:",
		records:   "{" + options.Prefix + ":record:v1}:",
		pingEvery: pingEvery,
		logger:    options.Logger,
	}, nil
}

// silenceClient stops the client library from writing its own lines to the
// standard error: every failure is returned as well, and counted here.
var silenceClient = sync.OnceFunc(func() { redis.SetLogger(&logging.VoidLogger{}) })

// Ping reports whether Redis answers.
//
// Errors: KindUnavailable.
func (c *Cache) Ping(ctx context.Context) error {
	if err := c.client.Ping(ctx).Err(); err != nil {
		return pods.Unavailable("Redis cannot be reached.", err)
	}
	return nil
}

// Stats returns the counters, each exact by itself.
func (c *Cache) Stats() Stats {
	return Stats{
		Published:     c.counts.published.Load(),
		PublishErrors: c.counts.publishErrors.Load(),
		Received:      c.counts.received.Load(),
		Malformed:     c.counts.malformed.Load(),
		Interruptions: c.counts.interruptions.Load(),
	}
}

// Close ends all connections. A running Subscribe does not end by it: cancel
// its context first.
func (c *Cache) Close() error { return c.client.Close() }
