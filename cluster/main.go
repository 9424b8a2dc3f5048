// Command cluster runs a real Kubernetes on one machine: to try programs on and
// to test them, never for production.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/pods-service/pods/cluster/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := command.Root().ExecuteContext(ctx); err != nil {
		if !errors.Is(err, command.ErrSilent) {
			fmt.Fprintln(os.Stderr, "cluster:", err)
		}
		os.Exit(1) //nolint:gocritic // nothing is left to stop
	}
}
