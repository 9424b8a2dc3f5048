package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/pods-service/pods/cluster/lifecycle"
	"github.com/pods-service/pods/cluster/machine"
)

func (o *options) up() *cobra.Command {
	var timeout time.Duration
	var knative bool
	command := &cobra.Command{
		Use:   "up",
		Short: "Start the cluster and wait until it can run pods",
		Long: `Start the cluster and wait until it can run pods. A cluster that runs already
is left alone. One that runs only in part, or that was not stopped properly, is
removed first: what was in it is lost.

With --knative it has Knative Serving and Eventing too, with Traefik as ingress
at 127.0.0.1:8080. A cluster that runs without them gets them added.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cluster, err := o.cluster(command)
			if err != nil {
				return err
			}
			if knative {
				return cluster.UpWithKnative(command.Context(), timeout)
			}
			return cluster.Up(command.Context(), timeout)
		},
	}
	command.Flags().BoolVar(&knative, "knative", false, "with Knative and Traefik; build them first")
	command.Flags().DurationVar(&timeout, "timeout", lifecycle.DefaultTimeout, "how long the cluster, and then Knative, may take to become ready")
	return command
}

func (o *options) down() *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Stop the cluster and remove everything in it",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cluster, err := o.cluster(command)
			if err != nil {
				return err
			}
			return cluster.Down(command.Context())
		},
	}
}

func (o *options) status() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "status",
		Short: "Say how the cluster is; succeed only when all of it works",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cluster, err := o.cluster(command)
			if err != nil {
				return err
			}
			status, err := cluster.Status(command.Context())
			if err != nil {
				return err
			}
			if err := printStatus(command, status, asJSON); err != nil {
				return err
			}
			if !status.Working() {
				return ErrSilent
			}
			return nil
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return command
}

func printStatus(command *cobra.Command, status lifecycle.Status, asJSON bool) error {
	if !asJSON {
		status.Print(command.OutOrStdout())
		return nil
	}
	encoder := json.NewEncoder(command.OutOrStdout())
	encoder.SetIndent("", "  ")
	return encoder.Encode(status)
}

func (o *options) stop() *cobra.Command {
	var grace time.Duration
	command := &cobra.Command{
		Use:   "stop COMPONENT",
		Short: "Stop one component and leave the others running",
		Args:  cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			cluster, err := o.cluster(command)
			if err != nil {
				return err
			}
			return cluster.StopComponent(command.Context(), args[0], grace)
		},
	}
	graceFlag(command, &grace)
	return command
}

func (o *options) start() *cobra.Command {
	return &cobra.Command{
		Use:   "start COMPONENT",
		Short: "Start a component that was stopped and wait until it works",
		Args:  cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			cluster, err := o.cluster(command)
			if err != nil {
				return err
			}
			return cluster.StartComponent(command.Context(), args[0])
		},
	}
}

func (o *options) restart() *cobra.Command {
	var grace time.Duration
	command := &cobra.Command{
		Use:   "restart COMPONENT",
		Short: "Stop one component and start it again",
		Args:  cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			cluster, err := o.cluster(command)
			if err != nil {
				return err
			}
			return cluster.RestartComponent(command.Context(), args[0], grace)
		},
	}
	graceFlag(command, &grace)
	return command
}

func graceFlag(command *cobra.Command, grace *time.Duration) {
	command.Flags().DurationVar(grace, "grace", 5*time.Second, "time to end by itself before it is killed; 0 kills at once")
}

func (o *options) check() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Say what keeps this machine from running the cluster",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			cluster, err := o.cluster(command)
			if err != nil {
				return err
			}
			if problems := cluster.Check(); len(problems) > 0 {
				return errors.New(lifecycle.Problems(problems))
			}
			fmt.Fprintln(command.OutOrStdout(), "this machine can run the cluster")
			return nil
		},
	}
}

func install() *cobra.Command {
	return &cobra.Command{
		Use:   "install",
		Short: "Install the Debian packages the cluster needs, without starting their services",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := machine.RestorePolicy(); err != nil {
				return err
			}
			missing := machine.MissingPackages()
			if len(missing) == 0 {
				fmt.Fprintln(command.OutOrStdout(), "everything is installed")
				return nil
			}
			return machine.Install(command.Context(), missing, command.OutOrStdout())
		},
	}
}
