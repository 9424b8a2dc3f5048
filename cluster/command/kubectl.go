package command

import (
	"fmt"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/pods-service/pods/cluster/components"
)

func (o *options) kubectl() *cobra.Command {
	return &cobra.Command{
		Use:                "kubectl ARGUMENT ...",
		Short:              "Run kubectl against the cluster",
		DisableFlagParsing: true, // they are kubectl's
		RunE: func(command *cobra.Command, args []string) error {
			cluster, err := o.cluster(command)
			if err != nil {
				return err
			}
			layout := cluster.Layout()
			if err := hasCluster(layout); err != nil {
				return err
			}
			if err := os.Setenv("KUBECONFIG", layout.Kubeconfig()); err != nil {
				return err
			}
			program := layout.Kube()
			if err := syscall.Exec(program, append([]string{"kubectl"}, args...), os.Environ()); err != nil { //nolint:gosec // our own program
				return fmt.Errorf("run %s: %w", program, err)
			}
			return nil // never reached: kubectl took this process's place
		},
	}
}

func (o *options) kubeconfig() *cobra.Command {
	return &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print the path of the administrator's client configuration",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cluster, err := o.cluster(command)
			if err != nil {
				return err
			}
			if err := hasCluster(cluster.Layout()); err != nil {
				return err
			}
			fmt.Fprintln(command.OutOrStdout(), cluster.Layout().Kubeconfig())
			return nil
		},
	}
}

// hasCluster fails when there is no cluster to talk to. Without a client
// configuration kubectl would try an address of its own.
func hasCluster(layout components.Layout) error {
	if _, err := os.Stat(layout.Kubeconfig()); err != nil {
		return fmt.Errorf("there is no cluster that this user can see: %w", err)
	}
	return nil
}
