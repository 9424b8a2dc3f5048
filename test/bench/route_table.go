package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	assets "github.com/pods-service/pods"
	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/function"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/routes"
	"github.com/pods-service/pods/shared/routes/feed"
)

const (
	// tableRoutes is how many routes the large table has, and the database
	// pods; the others are smaller.
	tableRoutes = 10_000
	someRoutes  = 100
	fewRoutes   = 10
	// lookups is how many hosts are looked up in a row.
	lookups = 500_000
	// lookupRounds is how often the tables take turns.
	lookupRounds = 21
	// manyChanged is how many pods change at once where many do.
	manyChanged = 100
	// changeRounds is how often changes are taken over.
	changeRounds = 200
)

// routeTable measures B8: what a gateway pays for the size of its table. Pods
// are rows in Postgres, merged with their template as those of the service. To
// look up a host includes its canonical form, as in each request. To take over
// changes is all that the gateway does once it is told of them: it reads the
// pods, merges and checks them, and puts them into the table. All tables are of
// one database and meet the same changes in turn, so that only they differ.
func routeTable(ctx context.Context, _ options) (_ []figure, err error) {
	b := &tableBench{}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.open(ctx); err != nil {
		return nil, err
	}
	of := map[int]*tableCosts{}
	for _, size := range []int{fewRoutes, someRoutes, 1000, tableRoutes} {
		if of[size], err = b.read(ctx, size); err != nil {
			return nil, fmt.Errorf("%d routes: %w", size, err)
		}
	}
	if err := lookUp(of); err != nil {
		return nil, err
	}
	small, large := of[someRoutes], of[tableRoutes]
	if err := b.change(ctx, small, large); err != nil {
		return nil, err
	}
	micros := func(s series) float64 { return 1000 * s.millis(0.5) }
	// Whatever else the machine does only adds to a lookup.
	nanos := func(size int) float64 { return float64(of[size].lookups.quantile(0)) / lookups }
	return []figure{
		plain("B8", "host looked up among 1,000 routes, against 10", "ns", nanos(1000)).against(nanos(fewRoutes)).maxRatio(1.5),
		plain("B8", "host looked up among 10,000 routes, against 10", "ns", nanos(tableRoutes)).against(nanos(fewRoutes)).maxRatio(1.5),
		plain("B8", "1 changed pod among 10,000 routes, against 100", "us", micros(large.one)).against(micros(small.one)).maxRatio(1.5),
		plain("B8", "100 changed pods among 10,000 routes, against 100", "us", micros(large.many)).against(micros(small.many)).maxRatio(1.5),
		plain("B8", "100 changed pods among 10,000 routes, against 1", "us", micros(large.many)).against(micros(large.one)).maxRatio(manyChanged),
		plain("B8", "all of 10,000 routes read anew", "us", micros(large.all)),
	}, nil
}

// tableCosts are what one table costs.
type tableCosts struct {
	feed           *feed.Feed
	lookups        series // each of that many hosts
	all, one, many series // to take over all pods, one, and manyChanged
}

// lookUp measures how long it takes to find hosts in each table.
func lookUp(of map[int]*tableCosts) error {
	asked := map[int][]string{}
	for size, costs := range of {
		var all []string
		for route := range costs.feed.Table().All() {
			all = append(all, route.Host)
		}
		for i := range 1024 {
			asked[size] = append(asked[size], all[i*7919%len(all)]+":8443")
		}
	}
	for range lookupRounds {
		for size, costs := range of {
			hosts, table, start := asked[size], costs.feed.Table(), time.Now()
			for i := range lookups {
				host, err := routes.CanonicalHost(hosts[i%len(hosts)])
				if err != nil {
					return err
				}
				if _, found := table.Lookup(host); !found {
					return fmt.Errorf("host %s has no route", host)
				}
			}
			costs.lookups = append(costs.lookups, time.Since(start))
		}
	}
	return nil
}

// tableBench is what B8 needs around the tables.
type tableBench struct {
	stop     func() error // of the database
	pool     *pgxpool.Pool
	identity *identity
	store    *postgres.Store
	deriver  feed.Deriver
	feeds    []func() error // each ends one
	turn     int            // changes made so far
}

func (b *tableBench) open(ctx context.Context) error {
	dir, servers, err := startServers(ctx, true)
	if err != nil {
		return err
	}
	b.stop = func() error { return stopServers(servers, dir) }
	if b.pool, err = openDatabase(ctx, servers.DatabaseURL); err != nil {
		return err
	}
	if b.identity, err = newIdentity(); err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	domain, err := function.OpenDomain(ctx, auth.FileSource(b.identity.tenantsFile), assets.Templates(), logger)
	if err != nil {
		return err
	}
	b.store = postgres.New(b.pool, postgres.Options{Now: time.Now})
	b.deriver = domain.Deriver(b.store)
	return b.fill(ctx)
}

// fill makes pods that have a route each.
func (b *tableBench) fill(ctx context.Context) error {
	fmt.Printf("Making %d pods\n", tableRoutes)
	reference, err := shipTemplates(ctx, b.store, "hello")
	if err != nil {
		return err
	}
	rows := &fleet{store: b.store, template: reference}
	if err := rows.grow(ctx, tableRoutes); err != nil {
		return err
	}
	if _, err := b.pool.Exec(ctx, `UPDATE pods SET status = 'AVAILABLE', address = '10.1.2.3'`); err != nil {
		return fmt.Errorf("make the pods available: %w", err)
	}
	_, err = b.pool.Exec(ctx, `VACUUM ANALYZE`) // as autovacuum does a minute after
	return err
}

// firstPods is a store that knows no more than so many pods, unless asked for
// one by its name.
type firstPods struct {
	*postgres.Store
	count int
}

// Everything returns the first pods.
func (f firstPods) Everything(ctx context.Context) ([]pods.Pod, error) {
	all, err := f.Store.Everything(ctx)
	return slices.DeleteFunc(all, func(pod pods.Pod) bool {
		number, err := strconv.Atoi(strings.TrimPrefix(pod.ID, "bench"))
		return err != nil || number >= f.count
	}), err
}

// read reads the first pods into a table, which is kept current.
func (b *tableBench) read(ctx context.Context, size int) (*tableCosts, error) {
	current := feed.New(feed.Options{
		Source: feed.Merged{Store: firstPods{b.store, size}, Deriver: b.deriver}, Logger: slog.New(slog.DiscardHandler),
	})
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	start := time.Now()
	go func() { ended <- current.Run(running) }()
	b.feeds = append(b.feeds, func() error {
		stop()
		return <-ended
	})
	table, err := current.Wait(ctx)
	if err != nil {
		return nil, err
	}
	if table.Len() != size {
		return nil, fmt.Errorf("there are %d", table.Len())
	}
	return &tableCosts{feed: current, all: series{time.Since(start)}}, nil
}

// change has pods change that all tables know, and measures each table.
func (b *tableBench) change(ctx context.Context, tables ...*tableCosts) error {
	err := takeTurns(changeRounds, len(tables), func(i, _ int) error {
		took, err := b.takeOver(ctx, tables[i].feed, 1)
		tables[i].one = append(tables[i].one, took)
		return err
	})
	if err != nil {
		return err
	}
	return takeTurns(changeRounds/4, len(tables), func(i, _ int) error {
		took, err := b.takeOver(ctx, tables[i].feed, manyChanged)
		tables[i].many = append(tables[i].many, took)
		return err
	})
}

// takeOver gives count of the first pods another address and returns how long
// it takes from the announcement until the table has them all.
func (b *tableBench) takeOver(ctx context.Context, current *feed.Feed, count int) (time.Duration, error) {
	b.turn++
	address := fmt.Sprintf("10.2.%d.%d", b.turn/200, b.turn%200+1)
	ids := make([]string, count)
	for i := range ids {
		ids[i] = "bench" + strconv.Itoa((b.turn*7+i)%someRoutes)
	}
	const update = `UPDATE pods SET address = $1 WHERE tenant_id = $2 AND pod_id = ANY ($3)`
	if _, err := b.pool.Exec(ctx, update, address, fleetTenant.ID, ids); err != nil {
		return 0, fmt.Errorf("change pods: %w", err)
	}
	start := time.Now()
	for _, id := range ids {
		current.Changed(fleetTenant.ID, id)
	}
	for _, id := range ids {
		if err := waitForTarget(current, id, address); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}

// waitForTarget waits until a pod's route leads to address. It does not sleep:
// that would take longer than what it waits for.
func waitForTarget(current *feed.Feed, podID, address string) error {
	host := pods.Host(podID, pods.DefaultNetworkKey, fleetTenant.PodsDomain)
	want := address + ":" + strconv.Itoa(pods.NewNetworking().Port)
	for start := time.Now(); time.Since(start) < patience; runtime.Gosched() {
		if route, found := current.Table().Lookup(host); found && route.Target == want {
			return nil
		}
	}
	return fmt.Errorf("the route of %s does not change", podID)
}

func (b *tableBench) close() error {
	var errs []error
	for _, end := range b.feeds {
		errs = append(errs, end())
	}
	if b.identity != nil {
		errs = append(errs, os.Remove(b.identity.tenantsFile))
	}
	if b.pool != nil {
		b.pool.Close()
	}
	if b.stop != nil {
		errs = append(errs, b.stop())
	}
	return errors.Join(errs...)
}
