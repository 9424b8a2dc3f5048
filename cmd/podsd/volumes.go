package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/pods-service/pods/shared/objects"
	"github.com/pods-service/pods/shared/postgres"
	"github.com/pods-service/pods/shared/servers"
)

// volumesCommand shows and restores what users have deleted.
func volumesCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "volumes",
		Short: "List deleted volumes and snapshots, and restore them",
		Long: "List deleted volumes and snapshots, and restore them, as long as PODS_STORAGE_GRACE has not passed.\n\n" +
			"The database is that of DATABASE_URL, or else of the service that runs with this PODS_STATE;\n" +
			"the files are in PODS_STORAGE_PATH, or else in the state folder.",
	}
	command.AddCommand(
		&cobra.Command{
			Use:   "quarantined",
			Short: "List what was deleted and can be restored, the newest first",
			Args:  cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return withObjects(cmd.Context(), func(ctx context.Context, store *postgres.Store, _ *objects.Objects) error {
					return listQuarantined(ctx, store, cmd.OutOrStdout())
				})
			},
		},
		&cobra.Command{
			Use:   "restore ENTRY",
			Short: "Bring a deleted volume or snapshot back, with its files and permissions",
			Args:  cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				return withObjects(cmd.Context(), func(ctx context.Context, _ *postgres.Store, o *objects.Objects) error {
					ref, err := o.Restore(ctx, args[0])
					if err != nil {
						return err
					}
					fmt.Fprintf(cmd.OutOrStdout(), "%s %s of tenant %s is there again.\n", ref.Kind, ref.ID, ref.TenantID)
					return nil
				})
			},
		},
	)
	return command
}

// withObjects calls fn with the rows and files that the settings name.
func withObjects(ctx context.Context, fn func(context.Context, *postgres.Store, *objects.Objects) error) error {
	set, err := readSettings()
	if err != nil {
		return err
	}
	pool, err := postgres.Open(ctx, cmp.Or(set.DatabaseURL, servers.DatabaseURL(serversDir(set))), 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	store := postgres.New(pool, postgres.Options{Now: time.Now})
	o, stored, err := set.OpenObjects(store, nil, slog.New(slog.DiscardHandler)) // which merges no pods here
	if err != nil {
		return err
	}
	defer func() { _ = stored.Close() }()
	return fn(ctx, store, o)
}

func listQuarantined(ctx context.Context, store *postgres.Store, out io.Writer) error {
	removed, err := store.Removed(ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ENTRY\tTENANT\tKIND\tID\tDELETED\tBY\tUNTIL")
	for _, r := range removed {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Entry, r.TenantID, r.Kind, r.ID,
			r.RemovedAt.Format(time.RFC3339), r.By, r.PurgeAt.Format(time.RFC3339))
	}
	return table.Flush()
}
