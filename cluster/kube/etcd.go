package main

import (
	"context"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/apiserver/pkg/server"
)

// etcdCommand runs a store with a single member on a Unix socket. Who may open
// the socket may read every secret: the caller keeps its folder private.
func etcdCommand() *cobra.Command {
	var dataDir, socket string
	command := &cobra.Command{
		Use:          "etcd",
		Short:        "Run a store with a single member on a Unix socket",
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(*cobra.Command, []string) error {
			return runEtcd(server.SetupSignalContext(), dataDir, socket)
		},
	}
	command.Flags().StringVar(&dataDir, "data-dir", "", "folder of the store")
	command.Flags().StringVar(&socket, "socket", "", "path of the Unix socket to listen on")
	for _, name := range []string{"data-dir", "socket"} {
		if err := command.MarkFlagRequired(name); err != nil {
			panic(err) // only when the flag is not defined above
		}
	}
	return command
}

// runEtcd serves until ctx ends or the store fails.
func runEtcd(ctx context.Context, dataDir, socket string) error {
	config := embed.NewConfig()
	config.Dir = dataDir
	config.LogLevel = "warn"
	// With nobody to elect there is no reason to wait a second for it.
	config.TickMs = 10
	config.ElectionMs = 100
	// Without it every single request is one to warn of.
	config.WarningUnaryRequestDuration = embed.DefaultWarningUnaryRequestDuration
	config.Name = "local"
	config.EnableGRPCGateway = false
	// A local cluster does not survive the machine anyway, and waiting for the
	// disk costs several milliseconds on every write.
	config.UnsafeNoFsync = true

	config.ListenClientUrls = []url.URL{{Scheme: "unix", Path: socket}}
	// There are no peers. The kernel picks the port, so that it never clashes.
	anyPort := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	config.ListenPeerUrls = anyPort
	// Nobody asks a single member where the members are.
	config.AdvertiseClientUrls = anyPort
	config.AdvertisePeerUrls = anyPort
	config.InitialCluster = config.InitialClusterFromName(config.Name)

	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return fmt.Errorf("start the store in %s: %w", dataDir, err)
	}
	defer etcd.Close()
	select {
	case <-ctx.Done():
		return nil
	case err := <-etcd.Err():
		return fmt.Errorf("store in %s stopped: %w", dataDir, err)
	}
}
