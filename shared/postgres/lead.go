package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// TryLead calls fn if no other process or goroutine is leading under that
// name, and reports whether it did; err is fn's, or the database's. It holds
// one connection of the pool while fn runs. A process that dies stops leading
// when the database sees its connection end.
func (s *Store) TryLead(ctx context.Context, name string, fn func(context.Context) error) (led bool, err error) {
	const lock = `SELECT pg_try_advisory_lock(hashtextextended('lead ' || @name, 0))`
	const unlock = `SELECT pg_advisory_unlock(hashtextextended('lead ' || @name, 0))`

	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return false, fmt.Errorf("lead %s: %w", name, translate(err))
	}
	defer conn.Release()
	if err := conn.QueryRow(ctx, lock, pgx.StrictNamedArgs{"name": name}).Scan(&led); err != nil {
		return false, fmt.Errorf("lead %s: %w", name, translate(err))
	}
	if !led {
		return false, nil
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if _, err := conn.Exec(closing, unlock, pgx.StrictNamedArgs{"name": name}); err != nil {
			_ = conn.Conn().Close(closing) // which unlocks too
		}
	}()
	return true, fn(ctx)
}
