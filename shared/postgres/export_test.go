package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pressly/goose/v3"

	"github.com/pods-service/pods/shared/pods"
)

// MigrateDown takes the schema away again.
func MigrateDown(ctx context.Context, pool *pgxpool.Pool) error {
	return withProvider(pool, func(provider *goose.Provider) error {
		_, err := provider.DownTo(ctx, 0)
		return err
	})
}

// MigrateTo brings the schema up to a version, as an earlier release would.
func MigrateTo(ctx context.Context, pool *pgxpool.Pool, version int64) error {
	return withProvider(pool, func(provider *goose.Provider) error {
		_, err := provider.UpTo(ctx, version)
		return err
	})
}

// Translate is translate, for tests that bring errors of their own.
var Translate = translate

// MarkSentQuery is the statement of MarkSent.
const MarkSentQuery = markSent

// PodChunk is how many pods Pods reads at a time.
const PodChunk = podChunk

// Named are named arguments.
type Named = named

// Planned reads a row by plans that are kept.
type Planned = planned

// ScanPod reads a row of PodColumns.
func ScanPod(row pgx.Row) (pods.Pod, error) { return scanPod(row) }

// PodColumns are what ScanPod reads.
const PodColumns = podColumns
