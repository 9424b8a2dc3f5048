package function

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pods-service/pods/shared/cache"
	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/secretfile"
)

// deliveryTimeout bounds the delivery of one event from the outbox. A Broker
// may answer only when all retries are over, which is minutes while a
// subscriber fails; one that is hung up on before might not get to the dead
// letter. It is not part of any request.
const deliveryTimeout = 5 * time.Minute

// State is the database with its outbox, and Redis.
type State struct {
	Store     *postgres.Store
	Cache     *cache.Cache
	Publisher *Publisher // nil for a program that sends no events
}

// Key returns the key that credentials are encrypted with.
//
// Errors: those of secretfile.ReadKey.
func (e Encryption) Key() ([secretfile.KeySize]byte, error) { return secretfile.ReadKey(e.KeyFile) }

// OpenState opens the state of a function that sends what it commits to a
// Broker. Nothing is connected yet, so neither database nor Redis nor Broker
// need be up. The key is zero for programs that neither read nor write
// credentials.
//
// Errors: addresses that make no sense, and a sink that is missing.
func (f *Function) OpenState(ctx context.Context, storage Storage, key [secretfile.KeySize]byte, to Sink) (*State, error) {
	if to.URL == "" {
		return nil, errors.New("K_SINK is not set: a SinkBinding to a Broker sets it, and without it no event can be sent")
	}
	sink, err := events.NewHTTPSink(events.HTTPSinkOptions{URL: to.URL, Overrides: to.Overrides, Timeout: deliveryTimeout})
	if err != nil {
		return nil, err
	}
	pool, changes, err := f.connect(ctx, storage)
	if err != nil {
		return nil, err
	}
	publisher := NewPublisher(changes, f.Logger)
	store := postgres.New(pool, postgres.Options{Key: key, Now: time.Now, Committed: publisher.Committed})
	publisher.Start(store, sink, events.RelayOptions{
		Timeout: deliveryTimeout, Logger: f.Logger, Metrics: events.NewMetrics(f.Registry),
	})
	f.OnClose(publisher.Close)
	return &State{Store: store, Cache: changes, Publisher: publisher}, nil
}

// OpenQuiet opens the state for a program that sends no events, and has nothing
// to do with credentials.
//
// Errors: addresses that make no sense.
func (f *Function) OpenQuiet(ctx context.Context, storage Storage) (*State, error) {
	pool, changes, err := f.connect(ctx, storage)
	if err != nil {
		return nil, err
	}
	return &State{Store: postgres.New(pool, postgres.Options{Now: time.Now}), Cache: changes}, nil
}

func (f *Function) connect(ctx context.Context, storage Storage) (*pgxpool.Pool, *cache.Cache, error) {
	pool, err := postgres.Open(ctx, storage.DatabaseURL, storage.Connections)
	if err != nil {
		return nil, nil, err
	}
	f.OnClose(func(ctx context.Context) error { return within(ctx, pool.Close) })
	changes, err := cache.Open(cache.Options{URL: storage.RedisURL, Logger: f.Logger})
	if err != nil {
		return nil, nil, err
	}
	f.OnClose(func(context.Context) error { return changes.Close() })
	return pool, changes, nil
}

// within calls fn, which may wait for others, and waits for it until ctx ends.
func within(ctx context.Context, fn func()) error {
	done := make(chan struct{})
	go func() {
		fn()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
