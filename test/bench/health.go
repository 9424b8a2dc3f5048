package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pods-service/pods/functions/health/reconcile"
	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/manifests"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/servers"
	"github.com/pods-service/pods/shared/storage"
)

// What B5 must reach.
const (
	// maxHealthShare is how much of the baseline's CPU health may use.
	maxHealthShare = 1.0 / 20
	// maxGrowth is by how much the cost of quiet may grow from the smallest to
	// the largest fleet, ten times its size by default: that of what depends on
	// changes does not grow at all, and this leaves room for noise.
	maxGrowth = 2
	// changesPerSecond is the load for the cost of a change.
	changesPerSecond = 10
)

// healthCPU measures B5 with pods on simulated nodes of a real API server and
// their rows in a real Postgres. Each side runs in a process of its own, whose
// CPU time counts. First nothing happens, then containers restart at a fixed
// rate, of which the status must reach the row. The share that comparing
// everything has, which health does once in a long while, is added to the quiet.
func healthCPU(ctx context.Context, o options) (_ []figure, err error) {
	b := &healthBench{o: o, kubeconfig: os.Getenv("KUBECONFIG")}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.open(ctx); err != nil {
		return nil, err
	}
	var figures []figure
	var first float64
	for i, size := range o.pods {
		fmt.Printf("Bringing %d simulated pods up\n", size)
		if err := b.fleet.grow(ctx, size); err != nil {
			return nil, err
		}
		if err := b.fleet.spreadLogs(ctx, b.store); err != nil {
			return nil, err
		}
		measured, quiet, err := b.measureSize(ctx)
		if err != nil {
			return nil, err
		}
		figures = append(figures, measured...)
		if i == 0 {
			first = quiet
		} else if i == len(o.pods)-1 {
			what := fmt.Sprintf("health, quiet: %d pods against %d", size, o.pods[0])
			figures = append(figures, plain("B5", what, "ms/s", quiet).against(first).maxRatio(maxGrowth))
		}
	}
	return figures, nil
}

// healthBench is what B5 needs around the sides.
type healthBench struct {
	o          options
	kubeconfig string
	servers    *servers.Servers
	dir        string
	pool       *pgxpool.Pool
	nodes      *nodes
	fleet      *fleet
	store      *postgres.Store
	broker     *httptest.Server // takes what health asks of others
	restarts   int
}

func (b *healthBench) open(ctx context.Context) (err error) {
	config, err := kube.Config(b.kubeconfig)
	if err != nil {
		return err
	}
	prefix := "pods-bench-" + strings.ToLower(rand.Text()[:8])
	cluster, err := kube.Connect(config, prefix)
	if err != nil {
		return err
	}
	if b.dir, b.servers, err = startServers(ctx, true); err != nil {
		return err
	}
	if b.pool, err = openDatabase(ctx, b.servers.DatabaseURL); err != nil {
		return err
	}
	b.store = postgres.New(b.pool, postgres.Options{Now: time.Now})
	b.broker = httptest.NewServer(http.HandlerFunc(b.takeEvent))
	if err := cluster.EnsureNamespace(ctx, manifests.Namespace(prefix, storage.Source{})); err != nil {
		return err
	}
	behind := func() time.Time { return time.Now().Add(-fleetAge) }
	b.fleet = &fleet{store: postgres.New(b.pool, postgres.Options{Now: behind}), cluster: cluster}
	if err := waitServiceAccount(ctx, cluster.API(), prefix); err != nil {
		return err
	}
	b.nodes, err = startNodes(ctx, b.o.kwok, b.kubeconfig, cluster.API(), prefix)
	b.fleet.nodes = b.nodes
	return err
}

// takeEvent is the Broker and who is behind it: output that is due is collected
// as from pods that write nothing.
func (b *healthBench) takeEvent(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusAccepted)
	if r.Header.Get("Ce-Type") != events.TypePodLogsDue {
		return
	}
	due, err := b.store.ClaimDueLogs(r.Context(), b.fleet.size, time.Minute)
	for _, run := range due {
		err = errors.Join(err, b.store.LogsCollected(r.Context(), run.Ref, pods.NextLogWait(run.Wait, 0)))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: collect output that is due:", err)
	}
}

// close removes all that open and the fleet have made, also after a failure.
func (b *healthBench) close() error {
	var failures []error
	if b.fleet != nil {
		fmt.Println("Removing the simulated pods")
		failures = append(failures, b.fleet.remove(context.Background()))
		removeNamespace(b.fleet.cluster.API(), b.fleet.cluster.Namespace())
	}
	if b.nodes != nil {
		failures = append(failures, b.nodes.stop())
	}
	if b.broker != nil {
		b.broker.Close()
	}
	if b.pool != nil {
		b.pool.Close()
	}
	if b.servers != nil {
		failures = append(failures, stopServers(b.servers, b.dir))
	}
	return errors.Join(failures...)
}

// load is what was used in a span of time.
type load struct {
	span                      time.Duration
	side, postgres, apiServer time.Duration
	counts                    map[string]int64
}

// perSecond returns milliseconds of CPU per second.
func (l load) perSecond(used time.Duration) float64 { return inMillis(used) / l.span.Seconds() }

// measure watches a side for span; c may be nil for nobody.
func (b *healthBench) measure(ctx context.Context, c *child, span time.Duration) (load, error) {
	sample := func() (answer, load, error) {
		now := load{postgres: postgresCPU(), apiServer: apiServerCPU()}
		if c == nil {
			return answer{}, now, nil
		}
		a, err := c.ask(ctx)
		return a, now, err
	}
	before, usedBefore, err := sample()
	if err != nil {
		return load{}, err
	}
	started := time.Now()
	if err := pause(ctx, span); err != nil {
		return load{}, err
	}
	after, usedAfter, err := sample()
	l := load{
		span: time.Since(started), side: after.CPU - before.CPU, counts: map[string]int64{},
		postgres: usedAfter.postgres - usedBefore.postgres, apiServer: usedAfter.apiServer - usedBefore.apiServer,
	}
	for name, count := range after.Counts {
		l.counts[name] = count - before.Counts[name]
	}
	return l, err
}

// measureSize measures both sides on the fleet as it is, and returns the load
// of health when it is quiet too, in milliseconds of CPU per second.
func (b *healthBench) measureSize(ctx context.Context) ([]figure, float64, error) {
	nobody, err := b.measure(ctx, nil, b.o.quiet/2)
	if err != nil {
		return nil, 0, err
	}
	quiet, changing, whole, err := b.measureHealth(ctx)
	if err != nil {
		return nil, 0, err
	}
	base, err := b.measureRewriter(ctx)
	if err != nil {
		return nil, 0, err
	}
	used := quiet.perSecond(quiet.side) + inMillis(whole)/reconcile.WholeAfter(whole).Seconds()
	at := func(what string) string { return fmt.Sprintf("%s, %d pods", what, b.fleet.size) }
	above := func(l load, of func(load) time.Duration) float64 {
		return l.perSecond(of(l)) - nobody.perSecond(of(nobody))
	}
	ofPostgres := func(l load) time.Duration { return l.postgres }
	ofServer := func(l load) time.Duration { return l.apiServer }
	changes := float64(changing.counts["changes"])
	perChange := (inMillis(changing.side) - quiet.perSecond(quiet.side)*changing.span.Seconds()) / max(changes, 1)
	return []figure{
		plain("B5", at("CPU, quiet"), "ms/s", used).against(base.perSecond(base.side)).maxRatio(maxHealthShare),
		plain("B5", at(fmt.Sprintf("CPU of comparing everything, every %s", reconcile.WholeAfter(whole).Round(time.Minute))), "ms", inMillis(whole)),
		plain("B5", at("Postgres, quiet"), "ms/s", above(quiet, ofPostgres)).against(above(base, ofPostgres)),
		plain("B5", at("API server, quiet"), "ms/s", above(quiet, ofServer)).against(above(base, ofServer)),
		plain("B5", at("logs asked for, quiet"), "1/s", float64(quiet.counts["asked"])/quiet.span.Seconds()),
		plain("B5", at(fmt.Sprintf("CPU, %d changes/s", changesPerSecond)), "ms/s", changing.perSecond(changing.side)).
			against(base.perSecond(base.side)),
		plain("B5", at("CPU per change"), "ms", perChange),
	}, used, nil
}

func (b *healthBench) settings() sideSettings {
	return sideSettings{
		DatabaseURL: b.servers.DatabaseURL, Kubeconfig: b.kubeconfig, Namespace: b.fleet.cluster.Namespace(), Sink: b.broker.URL,
	}
}

// measureHealth returns the load of health while nothing happens and while
// something does, and the CPU of one comparison of everything.
func (b *healthBench) measureHealth(ctx context.Context) (quiet, changing load, whole time.Duration, err error) {
	health, err := startChild(ctx, "health", b.settings())
	if err != nil {
		return load{}, load{}, 0, err
	}
	defer func() { err = errors.Join(err, health.stop()) }()
	fmt.Println("Waiting for health to have seen everything")
	if err := b.waitSettled(ctx, health); err != nil {
		return load{}, load{}, 0, err
	}
	settled, err := health.ask(ctx)
	if err != nil {
		return load{}, load{}, 0, err
	}
	whole = time.Duration(settled.Counts["whole_ns"])
	fmt.Printf("Measuring health for %s\n", b.o.quiet)
	if quiet, err = b.measure(ctx, health, b.o.quiet); err != nil {
		return load{}, load{}, 0, err
	}
	fmt.Printf("Measuring health with %d changes per second\n", changesPerSecond)
	within, cancel := context.WithCancel(ctx)
	made := make(chan error, 1)
	go func() { made <- b.change(within) }()
	changing, err = b.measure(ctx, health, b.o.quiet/2)
	cancel()
	if err := errors.Join(err, <-made); err != nil {
		return load{}, load{}, 0, err
	}
	return quiet, changing, whole, b.waitFollowed(ctx)
}

func (b *healthBench) measureRewriter(ctx context.Context) (base load, err error) {
	rewriter, err := startChild(ctx, "rewriter", b.settings())
	if err != nil {
		return load{}, err
	}
	defer func() { err = errors.Join(err, rewriter.stop()) }()
	if err := b.waitCount(ctx, rewriter, "rounds", 2); err != nil { // connections and statements are there
		return load{}, err
	}
	fmt.Printf("Measuring the baseline for %s\n", b.o.quiet)
	return b.measure(ctx, rewriter, b.o.quiet)
}

// waitSettled waits until health has compared everything twice and has nothing
// more to do for half a tick.
func (b *healthBench) waitSettled(ctx context.Context, health *child) error {
	if err := b.waitCount(ctx, health, "whole", 2); err != nil {
		return err
	}
	for last := int64(-1); ; {
		a, err := health.ask(ctx)
		if err != nil || a.Counts["changes"] == last {
			return err
		}
		last = a.Counts["changes"]
		if err := pause(ctx, tick/2); err != nil {
			return err
		}
	}
}

func (b *healthBench) waitCount(ctx context.Context, c *child, name string, count int64) error {
	return every(ctx, 100*time.Millisecond, func() (bool, error) {
		a, err := c.ask(ctx)
		return a.Counts[name] >= count, err
	})
}

// change makes containers restart, each pod's in turn, until ctx ends.
func (b *healthBench) change(ctx context.Context) error {
	ticker := time.NewTicker(time.Second / changesPerSecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			next := b.restarts + 1
			if err := b.fleet.restart(context.WithoutCancel(ctx), next, next); err != nil {
				return fmt.Errorf("restart a container: %w", err)
			}
			b.restarts = next
		}
	}
}

// waitFollowed waits until the row of the last pod that was changed says so.
func (b *healthBench) waitFollowed(ctx context.Context) error {
	name := pods.Name(fleetTenant.SiteID, fleetTenant.ID, "bench"+strconv.Itoa(b.restarts%b.fleet.size))
	return every(ctx, 100*time.Millisecond, func() (bool, error) {
		row, err := b.fleet.store.PodByK8sName(ctx, name)
		return int(row.StatusContainer.RestartCount) == b.restarts, err
	})
}
