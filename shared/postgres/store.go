// Package postgres keeps the service's state: pods with their permissions,
// credentials, action lines and logs, the outbox of events, tombstones and
// dead letters. It is the only place with SQL.
//
// Every change and the events that tell of it are written in one transaction.
// Status moves name the statuses they start from, so a repeated or late
// request changes nothing and gets a KindConflict error. Every method may also
// fail with KindUnavailable when the database cannot be reached and with
// KindTimeout when it does not answer in time.
package postgres

import (
	"context"
	"crypto/cipher"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Options configure a Store.
type Options struct {
	// Key encrypts credentials at rest. All processes of one service share it.
	Key [32]byte
	// Now is the clock; every time the store writes or compares comes from it.
	Now func() time.Time
	// Committed is called with the events of each transaction after it has
	// been committed. It must not block. Nil means that nobody is told: the
	// events wait in the outbox.
	Committed func([]cloudevents.Event)
}

// Store reads and writes the service's state. It is safe for concurrent use.
type Store struct {
	pool      *pgxpool.Pool
	sealer    cipher.AEAD
	clock     func() time.Time
	committed func([]cloudevents.Event)
}

// New returns a Store on pool, whose database must have been migrated.
func New(pool *pgxpool.Pool, options Options) *Store {
	committed := options.Committed
	if committed == nil {
		committed = func([]cloudevents.Event) {}
	}
	return &Store{pool: pool, sealer: newSealer(options.Key), clock: options.Now, committed: committed}
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	return translate(s.pool.Ping(ctx))
}

// now returns the time in the precision that the database keeps.
func (s *Store) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }
