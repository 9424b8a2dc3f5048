package command

import (
	"github.com/spf13/cobra"

	"github.com/pods-service/pods/cluster/binaries"
)

func build() *cobra.Command {
	var source, out string
	var knative, traefik bool
	command := &cobra.Command{
		Use:   "build",
		Short: "Build the programs the cluster consists of; minutes the first time",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if source == "" {
				found, err := binaries.FindSource()
				if err != nil {
					return err
				}
				source = found
			}
			if traefik {
				return binaries.BuildTraefik(command.Context(), source, out, command.OutOrStdout())
			}
			if err := binaries.Build(command.Context(), source, out, command.OutOrStdout()); err != nil || !knative {
				return err
			}
			return binaries.BuildKnative(command.Context(), source, out, command.OutOrStdout())
		},
	}
	command.Flags().StringVar(&source, "source", "", "folder with the sources (default: the nearest folder cluster)")
	command.Flags().StringVar(&out, "out", "bin", "folder for the programs")
	command.Flags().BoolVar(&knative, "knative", false, "build Knative and Traefik too; many minutes the first time")
	command.Flags().BoolVar(&traefik, "traefik", false, "build Traefik alone, and as a program too; minutes the first time")
	command.MarkFlagsMutuallyExclusive("knative", "traefik")
	return command
}
