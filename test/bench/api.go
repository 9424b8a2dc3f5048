package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/pprof/profile"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pods-service/pods/shared/postgres"
)

const (
	// apiPods is how many pods the tenant of B4 has.
	apiPods = 10_000
	// apiSenders is how many requests are under way when throughput is measured.
	apiSenders = 16
	// apiRate is at how many reads per second their latency is measured.
	apiRate = 200
	// apiRounds is how often the two sides take turns.
	apiRounds = 6
	// apiWarmUp is for how long each side works before it is measured.
	apiWarmUp = 3 * time.Second
	// apiLists is how often the list is asked for.
	apiLists = 20
)

// apiLoad measures B4: the API function, as the program that is deployed,
// against a minimal handler with the same check of tokens and the same SQL. Each
// has as many connections to the one database as a function has. Their load and
// the database share the machine with them, to the same extent.
//
// The function does more than the handler: it knows templates, rules, an
// allowlist and admins, writes a line of log and metrics for each request, sends
// the events of what it creates to a Broker and tells gateways of it by Redis.
func apiLoad(ctx context.Context, o options) (_ []figure, err error) {
	b := &apiBench{load: o.load, profiles: o.profile != ""}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.open(ctx, o.api); err != nil {
		return nil, err
	}
	if err := b.agree(ctx); err != nil {
		return nil, fmt.Errorf("the two sides do not do the same: %w", err)
	}
	figures, err := b.throughput(ctx, "reads", 0.8, b.reads)
	if err != nil {
		return nil, err
	}
	latencies, err := b.latencies(ctx)
	if err != nil {
		return nil, err
	}
	lists, err := b.lists(ctx)
	if err != nil {
		return nil, err
	}
	// Creates come last: with each the tables grow.
	creates, err := b.throughput(ctx, "creates", 0.7, b.creates)
	if err == nil && b.profiles {
		err = writeProfile(o.profile, b.spent)
	}
	return slices.Concat(figures, creates, latencies, lists), err
}

// apiBench is what B4 needs around the load.
type apiBench struct {
	load     time.Duration // for how long each side is measured
	profiles bool          // whether to look where the program spends its time
	spent    []*profile.Profile
	pool     *pgxpool.Pool
	apiStage
	ours      *apiSide
	baseline  *apiSide
	podPrefix int // of the pods made so far, so that no two share a name
}

// apiSide is one side of B4.
type apiSide struct {
	*target
	name string
	pid  int
}

func (b *apiBench) open(ctx context.Context, program string) (err error) {
	if b.dir, b.servers, err = startServers(ctx, false); err != nil {
		return err
	}
	if b.pool, err = openDatabase(ctx, b.servers.DatabaseURL); err != nil {
		return err
	}
	if b.identity, err = newIdentity(); err != nil {
		return err
	}
	if err := b.fill(ctx); err != nil {
		return err
	}
	if b.program, err = startAPI(ctx, program, b.servers, b.identity.tenantsFile); err != nil {
		return err
	}
	b.handler, err = startChild(ctx, "apibaseline", sideSettings{
		DatabaseURL: b.servers.DatabaseURL, TenantsFile: b.identity.tenantsFile,
	})
	if err != nil {
		return err
	}
	if b.ours, err = newAPISide("the API", b.program.address, b.program.pid()); err != nil {
		return err
	}
	b.baseline, err = newAPISide("the handler", b.handler.address, b.handler.process.Process.Pid)
	return err
}

func newAPISide(name, address string, pid int) (*apiSide, error) {
	target, err := newTarget(address)
	return &apiSide{target, name, pid}, err
}

// fill makes the pods, from a template as most users do.
func (b *apiBench) fill(ctx context.Context) error {
	fmt.Printf("Making %d pods\n", apiPods)
	store := postgres.New(b.pool, postgres.Options{Now: time.Now})
	reference, err := shipTemplates(ctx, store, "hello")
	if err != nil {
		return err
	}
	rows := &fleet{store: store, template: reference}
	if err := rows.grow(ctx, apiPods); err != nil {
		return err
	}
	// As autovacuum does a minute after so many changes.
	_, err = b.pool.Exec(ctx, `VACUUM ANALYZE`)
	return err
}

func (b *apiBench) close() error {
	if b.pool != nil {
		b.pool.Close()
	}
	return b.apiStage.close()
}
