// Package command is the command line of the local cluster.
package command

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/pods-service/pods/cluster/components"
	"github.com/pods-service/pods/cluster/lifecycle"
)

// ErrSilent makes the program fail after all there was to say was printed.
var ErrSilent = errors.New("failed")

// options are the flags every command has.
type options struct {
	layout components.Layout
}

// Root returns the command line: cluster with all its commands.
func Root() *cobra.Command {
	options := &options{}
	root := &cobra.Command{
		Use:   "cluster",
		Short: "A real Kubernetes on this machine, to try programs on and to test them",
		Long: `A real Kubernetes on this machine, to try programs on and to test them.
Never for production: there is one of everything, and a stop removes all of it.`,
		TraverseChildren: true, // or kubectl would get the flags before its name
		SilenceUsage:     true,
		SilenceErrors:    true,
		Args:             cobra.NoArgs,
		RunE:             func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	flags := root.PersistentFlags()
	flags.StringVar(&options.layout.State, "state", setting("CLUSTER_STATE", "/var/lib/pods-cluster"),
		"folder for all the cluster keeps (CLUSTER_STATE)")
	flags.StringVar(&options.layout.Run, "run", setting("CLUSTER_RUN", "/run/pods-cluster"),
		"folder for sockets and process numbers; its name is also that of the control group (CLUSTER_RUN)")
	flags.StringVar(&options.layout.Bin, "bin", setting("CLUSTER_BIN", besideExecutable()),
		"folder with the programs kube, coredns and pause (CLUSTER_BIN)")
	root.AddCommand(
		options.up(), options.down(), options.status(),
		options.stop(), options.start(), options.restart(),
		options.load(), image(), options.kubectl(), options.kubeconfig(),
		options.check(), install(), build(),
	)
	return root
}

// cluster returns the cluster the flags describe. It prints to the standard
// output of the command.
func (o *options) cluster(command *cobra.Command) (*lifecycle.Cluster, error) {
	for _, folder := range []*string{&o.layout.State, &o.layout.Run, &o.layout.Bin} {
		absolute, err := filepath.Abs(*folder)
		if err != nil {
			return nil, fmt.Errorf("folder %s: %w", *folder, err)
		}
		*folder = absolute
	}
	return lifecycle.New(o.layout, command.OutOrStdout())
}

// setting returns an environment variable, or fallback when it is not set.
func setting(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}

func besideExecutable() string {
	executable, err := os.Executable()
	if err != nil {
		return "."
	}
	return filepath.Dir(executable)
}
