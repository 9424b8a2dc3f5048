// Command podsd is the whole service as one process: the four functions, the
// gateway, the development issuer, and the database and cache it starts for
// itself unless it is given others.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/pods-service/pods/shared/function"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)

	err := command().ExecuteContext(ctx)
	function.FlushLog()
	if err != nil {
		fmt.Fprintln(os.Stderr, "podsd: "+err.Error())
		os.Exit(1) //nolint:gocritic // the process is at its end
	}
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "podsd",
		Short:         "The Pods Service as one process",
		Long:          "The Pods Service as one process. Settings come from the environment:\n\n" + settingsHelp(),
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(serveCommand(), quickstartCommand(), stopCommand(), migrateCommand(), deploySecretsCommand(), volumesCommand())
	return root
}
