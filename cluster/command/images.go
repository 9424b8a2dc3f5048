package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pods-service/pods/cluster/images"
)

func (o *options) load() *cobra.Command {
	return &cobra.Command{
		Use:   "load IMAGE.tar ...",
		Short: "Load image files into the running cluster",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			cluster, err := o.cluster(command)
			if err != nil {
				return err
			}
			for _, path := range args {
				names, err := cluster.Load(command.Context(), path)
				if err != nil {
					return err
				}
				fmt.Fprintf(command.OutOrStdout(), "loaded %s from %s\n", strings.Join(names, ", "), path)
			}
			return nil
		},
	}
}

func image() *cobra.Command {
	var spec images.Spec
	command := &cobra.Command{
		Use:   "image NAME OUT.tar FILE=DESTINATION ...",
		Short: "Build an image from static programs, without a registry",
		Long: `Build an image that holds only the given files and write it to a file for
cluster load. The same files always give the same image.

Give the name a registry that does not exist, such as dev.local/hello:1, and the
pod imagePullPolicy IfNotPresent: nothing then tries to pull it.`,
		Example: "  cluster image dev.local/hello:1 hello.tar --entrypoint /hello --user 65532 bin/hello=/hello",
		Args:    cobra.MinimumNArgs(3),
		RunE: func(command *cobra.Command, args []string) error {
			spec.Name = args[0]
			for _, file := range args[2:] {
				source, destination, found := strings.Cut(file, "=")
				if !found {
					return fmt.Errorf("%q: want FILE=DESTINATION", file)
				}
				spec.Files = append(spec.Files, images.File{Source: source, Destination: destination})
			}
			if err := images.Write(spec, args[1]); err != nil {
				return err
			}
			fmt.Fprintf(command.OutOrStdout(), "built %s in %s\n", spec.Name, args[1])
			return nil
		},
	}
	flags := command.Flags()
	flags.StringArrayVar(&spec.Entrypoint, "entrypoint", nil, "program to run; repeat for its first arguments")
	flags.StringVar(&spec.User, "user", "65532", "numeric user, or user:group")
	flags.StringArrayVar(&spec.Env, "env", nil, "environment variable KEY=value; may be repeated")
	flags.StringArrayVar(&spec.Ports, "port", nil, "port it listens on, such as 8080 or 53/udp; may be repeated")
	flags.StringArrayVar(&spec.Writable, "writable", nil, "folder that everyone may write to, such as /tmp; may be repeated")
	flags.StringToStringVar(&spec.Labels, "label", nil, "label KEY=value; may be repeated")
	return command
}
