package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// storageRounds is how often the two sides of B10 take turns.
	storageRounds = 6
	// storageFile is the size of the file that is sent and fetched in each round.
	storageFile = 256 << 20
	// storageLarge is the size of the file during which memory is watched.
	storageLarge = 2 << 30
	// storageListed is how many files the list has.
	storageListed = 100_000
	// storageTimeout bounds one transfer.
	storageTimeout = 5 * time.Minute
)

// storageVolume is the volume of B10, and storageFolder the folder in it that
// has all the files of the list.
const (
	storageVolume = "benchvolume"
	storageFolder = "many"
)

// volumeFiles measures B10: files sent into a volume and fetched from it through the
// API function, as the program that is deployed, against a handler that copies
// from the request to a file and from a file to the answer. Both sides write to
// the same file system and wait until the disk has what they were sent. Then the
// memory of the function during a file of 2 GiB, and during a list of 100,000.
func volumeFiles(ctx context.Context, o options) (_ []figure, err error) {
	b := &storageBench{}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.open(ctx, o.api); err != nil {
		return nil, err
	}
	throughput, err := b.throughput(ctx)
	if err != nil {
		return nil, err
	}
	memory, err := b.memory(ctx)
	if err != nil {
		return nil, err
	}
	list, err := b.list(ctx)
	return slices.Concat(throughput, memory, list), err
}

// storageBench is what B10 needs around the transfers.
type storageBench struct {
	apiStage
	shared   string // the shared storage of the function, and a folder beside it
	ours     *storageSide
	baseline *storageSide
}

func (b *storageBench) open(ctx context.Context, program string) (err error) {
	if b.dir, b.servers, err = startServers(ctx, false); err != nil {
		return err
	}
	pool, err := openDatabase(ctx, b.servers.DatabaseURL)
	if err != nil {
		return err
	}
	pool.Close() // it was opened for the tables alone
	if b.identity, err = newIdentity(); err != nil {
		return err
	}
	if b.shared, err = os.MkdirTemp("", "pods-bench-storage-"); err != nil {
		return err
	}
	base, plain := filepath.Join(b.shared, "base"), filepath.Join(b.shared, "plain")
	for _, dir := range []string{base, plain} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
	}
	if b.program, err = startAPI(ctx, program, b.servers, b.identity.tenantsFile, "PODS_STORAGE_PATH="+base); err != nil {
		return err
	}
	if b.handler, err = startChild(ctx, "files", sideSettings{Dir: plain}); err != nil {
		return err
	}
	if b.ours, err = newStorageSide("the API", b.program.address, b.volume(), b.identity.upload, b.identity.download); err != nil {
		return err
	}
	if b.baseline, err = newStorageSide("the handler", b.handler.address, plain, plainUpload, plainDownload); err != nil {
		return err
	}
	req, err := b.identity.request(ctx, http.MethodPost, "/v3/pods/volumes", `{"volume_id":"`+storageVolume+`","size_limit":1000000}`)
	if err != nil {
		return err
	}
	return b.ours.send(ctx, func(context.Context) (*http.Request, error) { return req, nil })
}

// volume returns the folder of the volume.
func (b *storageBench) volume() string {
	return filepath.Join(b.shared, "base", fleetTenant.ID, "volumes", storageVolume)
}

func (b *storageBench) close() error {
	return errors.Join(b.apiStage.close(), os.RemoveAll(b.shared))
}

// throughput sends and fetches a new file of storageFile bytes in every round.
// It is removed afterwards: what is written over an old file costs the side that
// keeps the old one until the end more memory, which is not what is measured.
func (b *storageBench) throughput(ctx context.Context) ([]figure, error) {
	sides := []*storageSide{b.baseline, b.ours}
	var took [2][2]series // by transfer and side
	err := takeTurns(storageRounds, len(sides), func(i, round int) error {
		up, err := sides[i].time(ctx, func(ctx context.Context) (*http.Request, error) { return sides[i].upload(ctx, storageFile) })
		if err != nil {
			return fmt.Errorf("%s: upload: %w", sides[i].name, err)
		}
		down, err := sides[i].time(ctx, sides[i].download)
		if err != nil {
			return fmt.Errorf("%s: download: %w", sides[i].name, err)
		}
		took[0][i], took[1][i] = append(took[0][i], up), append(took[1][i], down)
		fmt.Printf("files, round %d of %d: %s takes %.0f MiB/s in and %.0f MiB/s out\n",
			round+1, storageRounds, sides[i].name, perSecond(storageFile, up), perSecond(storageFile, down))
		return os.Remove(sides[i].path)
	})
	if err != nil {
		return nil, err
	}
	var figures []figure
	for i, what := range []string{"upload", "download"} {
		median := func(side int) float64 { return perSecond(storageFile, took[i][side].quantile(0.5)) }
		figures = append(figures, plain("B10", fmt.Sprintf("%s of %d MiB, p50", what, storageFile>>20), "MiB/s", median(1)).against(median(0)).minRatio(0.7))
	}
	return figures, nil
}

// perSecond returns size bytes in d as MiB per second.
func perSecond(size int64, d time.Duration) float64 { return float64(size) / (1 << 20) / d.Seconds() }

// memory sends and fetches one large file and looks how much more memory the
// function has at most meanwhile.
func (b *storageBench) memory(ctx context.Context) ([]figure, error) {
	fmt.Printf("Sending and fetching %d GiB\n", storageLarge>>30)
	upload := func(ctx context.Context) (*http.Request, error) { return b.ours.upload(ctx, storageLarge) }
	var figures []figure
	for _, transfer := range []struct {
		what string
		next makeRequest
	}{{"upload", upload}, {"download", b.ours.download}} {
		growth, err := b.growth(func() error { return b.ours.send(ctx, transfer.next) })
		if err != nil {
			return nil, fmt.Errorf("%s: %w", transfer.what, err)
		}
		what := fmt.Sprintf("memory more during the %s of %d GiB", transfer.what, storageLarge>>30)
		figures = append(figures, plain("B10", what, "MiB", growth).most(50))
	}
	return figures, nil
}

// growth returns by how many MiB the function's resident memory was larger than
// at first, at most, while work was done.
func (b *storageBench) growth(work func() error) (float64, error) {
	pid := b.program.pid()
	if err := forgetPeak(pid); err != nil {
		return 0, err
	}
	before, err := residentMiB(pid)
	if err != nil {
		return 0, err
	}
	if err := work(); err != nil {
		return 0, err
	}
	peak, err := peakMiB(pid)
	return max(0, peak-before), err
}

// list has the function list files that were not sent to it but written into
// the volume, as pods do.
func (b *storageBench) list(ctx context.Context) ([]figure, error) {
	fmt.Printf("Listing %d files\n", storageListed)
	folder := filepath.Join(b.volume(), storageFolder)
	if err := fillFolder(folder, storageListed); err != nil {
		return nil, err
	}
	var first, whole time.Duration
	growth, err := b.growth(func() (err error) {
		first, whole, err = b.ours.readFiles(ctx, b.identity, storageListed)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	name := fmt.Sprintf("list of %d files", storageListed)
	return []figure{
		plain("B10", name+", first byte", "ms", inMillis(first)).most(100),
		plain("B10", name+", whole", "ms", inMillis(whole)),
		plain("B10", name+", memory more", "MiB", growth).most(50),
	}, nil
}

// fillFolder makes a folder with so many empty files.
func fillFolder(folder string, count int) error {
	if err := os.Mkdir(folder, 0o750); err != nil {
		return err
	}
	group := errgroup.Group{}
	group.SetLimit(8)
	for i := range count {
		group.Go(func() error { return os.WriteFile(filepath.Join(folder, "file"+strconv.Itoa(i)), nil, 0o600) })
	}
	return group.Wait()
}
