package cache

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// publishTimeout is what a commit may wait for those who listen.
	publishTimeout = 250 * time.Millisecond
	// pingEvery is how long a subscription may be silent before Redis is asked
	// for a sign of life; it has as long again to answer.
	pingEvery = 3 * time.Second

	minPause = 50 * time.Millisecond
	maxPause = 5 * time.Second

	maxMessage = 1024 // bytes; two ids are far shorter
)

// Change says that something about a pod is not as it was: created, moved to
// another status, updated or deleted. What it is now stands in the store.
type Change struct {
	TenantID string `json:"tenant_id"`
	PodID    string `json:"pod_id"`
}

// Publish tells every instance of changes, in one round trip. It takes at most
// 250 ms and has no error: a change that is not heard is found by the next full
// read, so a failure is counted and logged, and nobody has to act on it.
func (c *Cache) Publish(ctx context.Context, changes ...Change) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	_, err := c.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, change := range changes {
			message, err := json.Marshal(change)
			if err != nil {
				return err
			}
			pipe.Publish(ctx, c.channel, message)
		}
		return nil
	})
	count := uint64(len(changes))
	if err != nil {
		c.counts.publishErrors.Add(count)
		for _, change := range changes {
			c.logger.DebugContext(ctx, "change not published",
				slog.String("tenant_id", change.TenantID), slog.String("pod_id", change.PodID), slog.Any("error", err))
		}
		return
	}
	c.counts.published.Add(count)
}

// Subscriber is told what a subscription hears. All functions are required,
// are called one at a time and must not block.
type Subscriber struct {
	Changed func(Change)
	// Connected is called when the subscription stands, the first time and
	// after each interruption: changes made before may have been missed.
	Connected func()
	// Disconnected is called once per interruption, also when the first
	// attempt fails: from then on changes are missed.
	Disconnected func()
}

// Subscribe listens until ctx ends and then returns. It connects again
// whenever the connection is lost, after 50 ms at first and at most 5 s.
func (c *Cache) Subscribe(ctx context.Context, subscriber Subscriber) {
	pause, interrupted := minPause, false
	connected := func() {
		pause, interrupted = minPause, false
		subscriber.Connected()
	}
	for {
		err := c.listen(ctx, connected, subscriber.Changed)
		if ctx.Err() != nil {
			return
		}
		if !interrupted {
			interrupted = true
			c.counts.interruptions.Add(1)
			c.logger.WarnContext(ctx, "subscription to changes interrupted", slog.Any("error", err))
			subscriber.Disconnected()
		}
		select {
		case <-ctx.Done():
			return
		// The random part keeps instances from coming back all at once.
		case <-time.After(pause/2 + rand.N(pause)): //nolint:gosec // not a secret
		}
		pause = min(2*pause, maxPause)
	}
}

var errSilent = errors.New("no sign of life")

// listen holds one subscription until it breaks or ctx ends.
func (c *Cache) listen(ctx context.Context, connected func(), changed func(Change)) error {
	subscription := c.client.Subscribe(ctx) // not connected yet
	// A read under way does not notice that ctx has ended.
	stop := context.AfterFunc(ctx, func() { _ = subscription.Close() })
	defer func() {
		if stop() {
			_ = subscription.Close()
		}
	}()
	if err := subscription.Subscribe(ctx, c.channel); err != nil {
		return err
	}
	for asked := false; ; {
		message, err := subscription.ReceiveTimeout(ctx, c.pingEvery)
		if isTimeout(err) {
			if asked {
				return errSilent
			}
			asked = true
			err = subscription.Ping(ctx)
		}
		if err != nil {
			return err
		}
		if message == nil {
			continue
		}
		asked = false
		switch message := message.(type) {
		case *redis.Subscription:
			connected()
		case *redis.Message:
			c.receive(message.Payload, changed)
		}
	}
}

func (c *Cache) receive(payload string, changed func(Change)) {
	var change Change
	if len(payload) > maxMessage || json.Unmarshal([]byte(payload), &change) != nil || change.TenantID == "" || change.PodID == "" {
		c.counts.malformed.Add(1)
		return
	}
	c.counts.received.Add(1)
	changed(change)
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout() && !errors.Is(err, context.DeadlineExceeded)
}
