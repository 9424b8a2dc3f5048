package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/servers"
)

const (
	// killEvery is how often B6 kills a process.
	killEvery = 10 * time.Second
	// maxMoreMillis is how much later an event may come to its effect with
	// kills than without, at p99.
	maxMoreMillis = 50
	// deliveryPods is how many rows the events are about.
	deliveryPods = 200
	// instances is how many processes there are of each kind.
	instances = 2
	// deliveryWarmUp is the start of a run, in which latencies do not count.
	deliveryWarmUp = 5 * time.Second
	// deliveryPatience is how long the last events may take. An event that a
	// killed process had claimed is free again after 30 seconds.
	deliveryPatience = 90 * time.Second
)

// delivery measures B6: from an event's commit to its effect, which is written
// by another process. Two producers commit changes of pods through the store,
// whose relays send the events to a Broker over HTTP; the Broker delivers each
// to one of two handlers, with the retries of the Triggers that the service
// ships. The handler's effect and the note that the event has been handled are
// one transaction.
//
// The baseline is the same load on the same processes while nobody is killed.
// Then every 10 seconds one of them gets SIGKILL, producers and handlers in
// turn, and is started again at once. The Broker is never killed: it stands for
// Knative's, which is not ours. The time of a commit is that at which its
// transaction began, which counts the commit itself in.
func delivery(ctx context.Context, o options) (_ []figure, err error) {
	b := &deliveryBench{o: o}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.open(ctx); err != nil {
		return nil, err
	}
	var runs [2]outcome
	for i, kills := range []bool{false, true} {
		if runs[i], err = b.run(ctx, kills); err != nil {
			return nil, err
		}
	}
	calm, killed := runs[0], runs[1]
	of := func(q float64, what string) figure {
		return plain("B6", what, "ms", killed.latencies.millis(q)).against(calm.latencies.millis(q))
	}
	return []figure{
		of(0.5, "commit to effect, p50"),
		of(0.99, "commit to effect, p99").maxMore(maxMoreMillis),
		of(0.999, "commit to effect, p99.9"),
		of(1, "commit to effect, slowest"),
		plain("B6", "events", "events", float64(killed.events)).against(float64(calm.events)),
		plain("B6", "processes killed", "kills", float64(killed.kills)),
		plain("B6", "events lost", "events", float64(killed.lost)).against(float64(calm.lost)).most(0),
		plain("B6", "effects more than once", "effects", float64(killed.twice)).against(float64(calm.twice)).most(0),
		plain("B6", "deliveries that were repeats", "events", float64(killed.repeats)).against(float64(calm.repeats)),
	}, nil
}

// deliveryBench is what B6 needs around the processes.
type deliveryBench struct {
	o       options
	servers *servers.Servers
	dir     string
	pool    *pgxpool.Pool
	broker  *ingress
}

func (b *deliveryBench) open(ctx context.Context) (err error) {
	if b.dir, b.servers, err = startServers(ctx, false); err != nil {
		return err
	}
	if b.pool, err = openDatabase(ctx, b.servers.DatabaseURL); err != nil {
		return err
	}
	if _, err := b.pool.Exec(ctx, deliverySchema); err != nil {
		return fmt.Errorf("make the tables of the handlers: %w", err)
	}
	store := postgres.New(b.pool, postgres.Options{Now: time.Now})
	rows := &fleet{store: store}
	if err := rows.grow(ctx, deliveryPods); err != nil {
		return err
	}
	b.broker, err = startIngress(store)
	return err
}

func (b *deliveryBench) close() error {
	if b.broker != nil {
		b.broker.close()
	}
	if b.pool != nil {
		b.pool.Close()
	}
	if b.servers != nil {
		return stopServers(b.servers, b.dir)
	}
	return nil
}

// run measures the load once, with or without kills.
func (b *deliveryBench) run(ctx context.Context, kills bool) (outcome, error) {
	staff, err := b.hire(ctx)
	if err != nil {
		return outcome{}, errors.Join(err, staff.dismiss(true))
	}
	started := time.Now()
	fmt.Printf("Sending %d events per second for %s, kills: %t\n", b.o.rate, b.o.deliver+deliveryWarmUp, kills)
	if err := pause(ctx, deliveryWarmUp); err != nil {
		return outcome{}, errors.Join(err, staff.dismiss(true))
	}
	killed, err := b.disturb(ctx, staff, kills)
	if err != nil {
		return outcome{}, errors.Join(err, staff.dismiss(true))
	}
	// The producers stop committing and send what is left.
	if err := staff.dismiss(false); err != nil {
		return outcome{}, err
	}
	found, err := b.outcome(ctx, started, started.Add(deliveryWarmUp))
	found.kills = killed
	return found, errors.Join(err, staff.dismiss(true))
}

// disturb lets the load run for as long as it is measured.
func (b *deliveryBench) disturb(ctx context.Context, staff *staff, kills bool) (killed int, err error) {
	end := time.NewTimer(b.o.deliver)
	defer end.Stop()
	due := time.NewTicker(killEvery)
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return killed, ctx.Err()
		case <-end.C:
			return killed, nil
		case <-due.C:
			if !kills {
				continue
			}
			if err := staff.killNext(ctx); err != nil {
				return killed, err
			}
			killed++
		}
	}
}

// outcome is what a run has come to.
type outcome struct {
	latencies series
	events    int // committed
	kills     int
	lost      int // without effect
	twice     int // effects that should not have been
	repeats   int // deliveries of events that had been handled before
}

// outcome waits until every event committed since started has had its effect,
// and reads what became of them. Latencies are those of events since warm.
func (b *deliveryBench) outcome(ctx context.Context, started, warm time.Time) (outcome, error) {
	const waiting = `
		SELECT count(*) FROM outbox AS o LEFT JOIN bench_handled AS h USING (event_id)
		WHERE o.created_at >= $1 AND h.event_id IS NULL`
	const times = `
		SELECT h.handled_at - o.created_at FROM outbox AS o JOIN bench_handled AS h USING (event_id)
		WHERE o.created_at >= $1`
	const totals = `
		SELECT count(*), coalesce(sum(h.deliveries - 1), 0),
			(SELECT coalesce(sum(effects), 0) FROM bench_effects) - (SELECT count(*) FROM bench_handled)
		FROM outbox AS o LEFT JOIN bench_handled AS h USING (event_id) WHERE o.created_at >= $1`

	found := outcome{}
	deadline := time.Now().Add(deliveryPatience)
	for {
		if err := b.pool.QueryRow(ctx, waiting, started).Scan(&found.lost); err != nil {
			return found, err
		}
		if found.lost == 0 || time.Now().After(deadline) {
			break
		}
		if err := pause(ctx, time.Second); err != nil {
			return found, err
		}
	}
	if err := b.pool.QueryRow(ctx, totals, started).Scan(&found.events, &found.repeats, &found.twice); err != nil {
		return found, err
	}
	rows, err := b.pool.Query(ctx, times, warm)
	if err != nil {
		return found, err
	}
	defer rows.Close()
	for rows.Next() {
		var took time.Duration
		if err := rows.Scan(&took); err != nil {
			return found, err
		}
		found.latencies = append(found.latencies, took)
	}
	return found, rows.Err()
}
