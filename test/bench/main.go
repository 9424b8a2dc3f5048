// Command bench measures the service, each time against an honest baseline
// that is in this folder too. Both sides of a comparison run on the same
// machine in one run.
//
//	B1  POST to AVAILABLE, against `kubectl run` to Ready
//	B2  POST to the first 200 under the public address, against the same
//	B3  requests to a pod through the gateway, with login and without, against a
//	    bare httputil.ReverseProxy and against Traefik
//	B4  reads, creates and lists of the API, against a minimal handler with the
//	    same check of tokens and the same SQL
//	B5  CPU of health while nothing happens and while something does, against
//	    listing and rewriting everything every 3 seconds
//	B6  commit of an event to its effect while processes are killed, against
//	    the same load without kills
//	B7  AVAILABLE to the first answer of a new pod through the gateway
//	B8  the route table, small and large: to find a host, and to take over pods
//	    that have changed
//	B9  memory of the gateway while it holds WebSockets on which nothing is said
//	B10 files through the API into a volume and out of it, against a handler that
//	    only copies; its memory meanwhile, and while it lists many files
//
// The table goes to standard output, the figures with more detail to a file.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// benchmark gives the figures that have one of its names.
type benchmark struct {
	names []string
	run   func(ctx context.Context, o options) ([]figure, error)
}

var benchmarks = []benchmark{
	{[]string{"B1", "B2"}, availability},
	{[]string{"B3"}, visits},
	{[]string{"B4"}, apiLoad},
	{[]string{"B5"}, healthCPU},
	{[]string{"B6"}, delivery},
	{[]string{"B7"}, newRoutes},
	{[]string{"B8"}, routeTable},
	{[]string{"B9"}, idleSockets},
	{[]string{"B10"}, volumeFiles},
}

// options are the settings of a run.
type options struct {
	podsd   string        // the program that B1, B2 and B7 measure
	kwok    string        // the program that simulates nodes for B5
	pairs   int           // of B1 and B2
	idle    time.Duration // before B1 and B2 read memory
	traefik string        // the program that B3 compares with
	api     string        // the program that B4 and B10 measure
	profile string        // file for where that program spends its time; empty for none
	load    time.Duration // how long B3 and B4 measure each side, for each kind of request
	pods    []int         // sizes of B5, ascending
	quiet   time.Duration // how long B5 measures each side
	rate    int           // B6: events per second
	deliver time.Duration // how long B6 measures each side
}

func main() {
	if side := os.Getenv(sideVariable); side != "" {
		exit(runSide(side))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit(run(ctx))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: "+err.Error())
		os.Exit(1)
	}
	os.Exit(0)
}

func run(ctx context.Context) error {
	o := options{}
	flag.StringVar(&o.podsd, "podsd", "bin/podsd", "B1, B2, B7: program to measure")
	flag.IntVar(&o.pairs, "pairs", 100, "B1, B2: how often each side runs, at most 1000")
	flag.DurationVar(&o.idle, "idle", 30*time.Second, "B1, B2: how long to be idle before memory is read")
	flag.StringVar(&o.kwok, "kwok", "bin/kwok", "B5: program that simulates nodes")
	flag.StringVar(&o.api, "api", "bin/api", "B4, B10: program to measure")
	flag.StringVar(&o.profile, "profile", "", "B4: file for a profile of the program under both loads, by which a compiler can optimize it")
	flag.StringVar(&o.traefik, "traefik", "bin/traefik", "B3: program to compare with")
	flag.DurationVar(&o.load, "load", 30*time.Second, "B3, B4: how long each side is measured, for each kind of request")
	sizes := flag.String("pods", "1000,10000", "B5: numbers of pods, ascending")
	flag.DurationVar(&o.quiet, "quiet", time.Minute, "B5: how long each side is measured")
	flag.IntVar(&o.rate, "rate", 200, "B6: events per second")
	flag.DurationVar(&o.deliver, "deliver", time.Minute, "B6: how long each side is measured")
	only := flag.String("only", "", "what to run, such as B1,B5; empty means everything, over half an hour")
	list := flag.Bool("list", false, "print the names of what would run, and end")
	out := flag.String("out", "bench.json", "file for the figures")
	flag.Parse()
	if err := o.check(*sizes); err != nil {
		return err
	}
	wanted, err := choose(*only)
	if err != nil {
		return err
	}
	if *list {
		for _, b := range wanted {
			fmt.Println(strings.Join(b.names, " "))
		}
		return nil
	}
	report := &report{Started: time.Now().UTC(), Options: map[string]string{}}
	flag.VisitAll(func(f *flag.Flag) { report.Options[f.Name] = f.Value.String() })
	for _, b := range wanted {
		fmt.Printf("Measuring %s\n", strings.Join(b.names, ", "))
		figures, err := b.run(ctx, o)
		if err != nil {
			return fmt.Errorf("%s: %w", strings.Join(b.names, ", "), err)
		}
		report.Figures = append(report.Figures, figures...)
	}
	report.print(os.Stdout)
	return report.write(*out)
}

func (o *options) check(sizes string) (err error) {
	if o.pairs < 1 || o.pairs > 1000 {
		return fmt.Errorf("--pairs %d is not between 1 and 1000", o.pairs)
	}
	if o.rate < 1 || o.rate > 10_000 {
		return fmt.Errorf("--rate %d is not between 1 and 10000", o.rate)
	}
	if o.load < max(apiRounds, visitRounds)*time.Second {
		return fmt.Errorf("--load must be %s or more", max(apiRounds, visitRounds)*time.Second)
	}
	if o.quiet < tick || o.deliver < killEvery {
		return fmt.Errorf("--quiet must be %s and --deliver %s or more", tick, killEvery)
	}
	if o.pods, err = parseSizes(sizes); err != nil {
		return err
	}
	for _, path := range []*string{&o.podsd, &o.traefik, &o.api, &o.kwok} {
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	return nil
}

// parseSizes reads numbers of pods.
func parseSizes(list string) ([]int, error) {
	var sizes []int
	for text := range strings.SplitSeq(list, ",") {
		size, err := strconv.Atoi(text)
		if err != nil || size < 1 || size > 50_000 || len(sizes) > 0 && size <= sizes[len(sizes)-1] {
			return nil, fmt.Errorf("--pods %s: want ascending numbers between 1 and 50000", list)
		}
		sizes = append(sizes, size)
	}
	return sizes, nil
}

// choose returns the benchmarks with the names in list, all for an empty one.
func choose(list string) ([]benchmark, error) {
	if list == "" {
		return benchmarks, nil
	}
	names := strings.Split(list, ",")
	chosen := []benchmark{}
	for _, b := range benchmarks {
		isWanted := func(name string) bool { return slices.Contains(names, name) }
		if slices.ContainsFunc(b.names, isWanted) {
			chosen = append(chosen, b)
			names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(b.names, name) })
		}
	}
	if len(names) > 0 {
		return nil, fmt.Errorf("--only: there is no %s", strings.Join(names, " and no "))
	}
	return chosen, nil
}
