package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// reads asks for pods at random.
func (b *apiBench) reads() makeRequest {
	return func(ctx context.Context) (*http.Request, error) {
		id := "bench" + strconv.Itoa(rand.IntN(apiPods)) //nolint:gosec // chance, not secrecy
		return b.identity.request(ctx, http.MethodGet, "/v3/pods/"+id, "")
	}
}

// creates makes pods, each with a name that no other has.
func (b *apiBench) creates() makeRequest {
	b.podPrefix++
	prefix, made := fmt.Sprintf("made%dx", b.podPrefix), &atomic.Int64{}
	return func(ctx context.Context) (*http.Request, error) {
		return b.createRequest(ctx, prefix+strconv.FormatInt(made.Add(1), 10))
	}
}

func (b *apiBench) createRequest(ctx context.Context, podID string) (*http.Request, error) {
	body := fmt.Sprintf(`{"pod_id":%q,"image":%q,"description":"a pod of a benchmark","environment_variables":{"GREETING":"hello"}}`, podID, image)
	return b.identity.request(ctx, http.MethodPost, "/v3/pods", body)
}

// turns has the two sides take turns; the baseline is side 0.
func (b *apiBench) turns(work func(i int, side *apiSide, round int) error) error {
	sides := []*apiSide{b.baseline, b.ours}
	return takeTurns(apiRounds, len(sides), func(i, round int) error {
		if err := work(i, sides[i], round); err != nil {
			return fmt.Errorf("%s: %w", sides[i].name, err)
		}
		return nil
	})
}

// throughput measures how many requests of one kind each side answers.
func (b *apiBench) throughput(ctx context.Context, what string, minRatio float64, load func() makeRequest) ([]figure, error) {
	for _, side := range []*apiSide{b.baseline, b.ours} {
		if _, _, err := side.saturate(ctx, apiSenders, apiWarmUp, load()); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", what, side.name, err)
		}
	}
	var answered [2]int64
	var elapsed, cpu [2]time.Duration
	err := b.turns(func(i int, side *apiSide, round int) error {
		before := processCPU(side.pid)
		count, took, err := side.saturate(ctx, apiSenders, b.load/apiRounds, load())
		answered[i] += count
		elapsed[i] += took
		cpu[i] += processCPU(side.pid) - before
		fmt.Printf("%s, round %d of %d: %s %.0f per second\n", what, round+1, apiRounds, side.name, float64(count)/took.Seconds())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if b.profiles {
		if err := b.profile(ctx, load()); err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
	}
	perSecond := func(i int) float64 { return float64(answered[i]) / elapsed[i].Seconds() }
	micros := func(i int) float64 { return float64(cpu[i].Microseconds()) / float64(answered[i]) }
	return []figure{
		plain("B4", what+" with "+strconv.Itoa(apiSenders)+" under way", "per second", perSecond(1)).against(perSecond(0)).minRatio(minRatio),
		plain("B4", what+", CPU of the program for each", "us", micros(1)).against(micros(0)),
	}, nil
}

// latencies measures reads at a steady rate, the sides taking turns.
func (b *apiBench) latencies(ctx context.Context) ([]figure, error) {
	var found [2]series
	fmt.Printf("Reading %d pods per second, %s from each side\n", apiRate, b.load)
	err := b.turns(func(i int, side *apiSide, _ int) error {
		times, err := side.pace(ctx, apiRate, b.load/apiRounds, b.reads())
		found[i] = append(found[i], times...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reads at a steady rate: %w", err)
	}
	of := func(what string, q float64) figure {
		return plain("B4", fmt.Sprintf("read at %d per second, %s", apiRate, what), "ms", found[1].millis(q)).against(found[0].millis(q))
	}
	return []figure{of("p50", 0.5), of("p99", 0.99).most(10), of("slowest", 1)}, nil
}

// lists measures the list of all pods, plain and merged with their templates as
// web interfaces ask for it.
func (b *apiBench) lists(ctx context.Context) ([]figure, error) {
	var figures []figure
	for _, form := range []struct{ what, query string }{{"list", ""}, {"merged list", "?derived_lite=true"}} {
		var first, whole series
		for range apiLists {
			start := time.Now()
			req, err := b.identity.request(ctx, http.MethodGet, "/v3/pods"+form.query, "")
			if err != nil {
				return nil, err
			}
			toFirst, err := b.ours.readList(req, start)
			if err != nil {
				return nil, fmt.Errorf("the %s: %w", form.what, err)
			}
			first, whole = append(first, toFirst), append(whole, time.Since(start))
		}
		name := fmt.Sprintf("%s of %d pods", form.what, apiPods)
		figures = append(figures,
			plain("B4", name+", first byte, slowest of "+strconv.Itoa(apiLists), "ms", first.millis(1)).most(100),
			plain("B4", name+", whole, p50", "ms", whole.millis(0.5)))
	}
	resident, err := residentMiB(b.ours.pid)
	return append(figures, plain("B4", "API resident after the lists", "MiB", resident)), err
}

// readList reads a list to its end and returns how long after start its first
// byte was there.
func (s *apiSide) readList(req *http.Request, start time.Time) (time.Duration, error) {
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, 1)); err != nil {
		return 0, fmt.Errorf("read the first byte of status %d: %w", resp.StatusCode, err)
	}
	first := time.Since(start)
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if listed := strings.Count(string(text), `"pod_id":`); resp.StatusCode != http.StatusOK || listed < apiPods {
		return 0, fmt.Errorf("status %d with %d pods, want at least %d", resp.StatusCode, listed, apiPods)
	}
	return first, nil
}
