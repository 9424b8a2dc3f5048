package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/google/pprof/profile"
	"golang.org/x/sync/errgroup"
)

// profileTime is for how long a profile is taken, a second less than the load.
const profileTime = 15 * time.Second

// profile keeps where the program spends its time while it has that load.
func (b *apiBench) profile(ctx context.Context, load makeRequest) error {
	fmt.Printf("Taking a profile of %s\n", profileTime)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		_, _, err := b.ours.saturate(ctx, apiSenders, profileTime+time.Second, load)
		return err
	})
	group.Go(func() error {
		url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", b.program.metrics, int(profileTime.Seconds()))
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		taken, err := profile.Parse(resp.Body)
		b.spent = append(b.spent, taken)
		return err
	})
	return group.Wait()
}

// writeProfile writes profiles as one.
func writeProfile(path string, profiles []*profile.Profile) error {
	merged, err := profile.Merge(profiles)
	if err != nil {
		return fmt.Errorf("merge the profiles: %w", err)
	}
	// Only what a compiler reads, and nothing of the machine.
	merged.Comments, merged.DropFrames, merged.KeepFrames = nil, "", ""
	for _, mapping := range merged.Mapping {
		mapping.File, mapping.BuildID = "api", ""
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := merged.Write(file); err != nil {
		_ = file.Close()
		return fmt.Errorf("write %s: %w", path, err)
	}
	return file.Close()
}
