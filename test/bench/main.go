// Command bench measures the service against plain Kubernetes on the same
// cluster. Both sides take turns in one run, so that they meet the same
// machine in the same mood.
//
// B1 is the time from POST /pods to the status AVAILABLE, against the time
// from creating the pod that `kubectl run` would create to its Ready condition.
// B2 is the time from POST /pods to the first 200 under the pod's public
// address, against the same baseline. The baseline calls the API server
// directly and watches: the start of the kubectl program is left out, to its
// advantage.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/pods-service/pods/test/service"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench: "+err.Error())
		os.Exit(1) //nolint:gocritic // the process is at its end
	}
}

func run(ctx context.Context) error {
	binary := flag.String("podsd", "bin/podsd", "program to measure")
	out := flag.String("out", "bench.json", "file for the figures")
	pairs := flag.Int("pairs", 100, "how often each side runs, at most 1000")
	idle := flag.Duration("idle", 30*time.Second, "how long to be idle before memory is read")
	flag.Parse()
	if *pairs < 1 || *pairs > 1000 {
		return fmt.Errorf("--pairs %d is not between 1 and 1000", *pairs)
	}
	baseline, err := newBaseline(ctx, os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	defer baseline.close()
	path, err := filepath.Abs(*binary)
	if err != nil {
		return err
	}
	pods, err := service.New(path, os.TempDir())
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(pods.State) }()
	if err := pods.Start(ctx); err != nil {
		return fmt.Errorf("%w\n%s", err, pods.Log())
	}
	defer func() { _ = pods.Stop() }()
	defer baseline.removeNamespace(pods.Namespace)

	report, err := compare(ctx, pods, baseline, *pairs)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, pods.Log())
	}
	fmt.Printf("Waiting %s for the service to be idle\n", *idle)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(*idle):
	}
	if report.IdleMiB, err = residentMiB(pods.PID()); err != nil {
		return err
	}
	report.print(os.Stdout)
	data, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(*out, append(data, '\n'), 0o644) //nolint:gosec // figures are for everybody
}
