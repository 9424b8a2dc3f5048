package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/postgres"
)

// deliverySchema holds which events were handled, and their effect, which is
// one that cannot be repeated: a number that goes up.
const deliverySchema = `
	CREATE TABLE bench_handled (
		source     text        NOT NULL,
		event_id   text        NOT NULL,
		handled_at timestamptz NOT NULL,
		deliveries integer     NOT NULL,
		PRIMARY KEY (source, event_id)
	);
	CREATE INDEX bench_handled_event_id_idx ON bench_handled (event_id);
	CREATE TABLE bench_effects (
		subject text   PRIMARY KEY,
		effects bigint NOT NULL
	)`

// handlerSide takes events over HTTP as a function does. An event that comes
// again has no second effect, since both tables change in one transaction.
func handlerSide(ctx context.Context, settings sideSettings, ready func(string, func() map[string]int64)) error {
	const query = `
		WITH handled AS (
			INSERT INTO bench_handled AS h (source, event_id, handled_at, deliveries)
			VALUES (@source, @event_id, clock_timestamp(), 1)
			ON CONFLICT (source, event_id) DO UPDATE SET deliveries = h.deliveries + 1
			RETURNING deliveries
		)
		INSERT INTO bench_effects AS e (subject, effects)
		SELECT @subject, 1 FROM handled WHERE deliveries = 1
		ON CONFLICT (subject) DO UPDATE SET effects = e.effects + 1`

	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	pool, err := postgres.Open(ctx, settings.DatabaseURL, connections)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := pool.Ping(ctx); err != nil {
		return err
	}
	var handled atomic.Int64
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, err := events.Read(w, r)
		if err == nil {
			_, err = pool.Exec(r.Context(), query, pgx.StrictNamedArgs{
				"source": event.Source(), "event_id": event.ID(), "subject": event.Subject(),
			})
			if err != nil {
				err = pods.Unavailable("the effect was not written", err)
			}
			handled.Add(1)
		}
		events.Acknowledge(w, r, logger, event, err)
	})
	return serveSide(ctx, handler, nil, ready, func() map[string]int64 { return map[string]int64{"handled": handled.Load()} })
}
