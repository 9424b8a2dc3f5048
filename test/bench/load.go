package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// underWay bounds the requests of a paced load that wait for their answers.
	underWay = 512
	// answerTimeout bounds each request.
	answerTimeout = 30 * time.Second
)

// target is one server on this machine, to which requests are sent whatever
// host they name.
type target struct{ client *http.Client }

// newTarget returns the target at address, IP and port. It refuses those on
// other machines.
func newTarget(address string) (*target, error) {
	parsed, err := netip.ParseAddrPort(address)
	if err != nil || !parsed.Addr().IsLoopback() {
		return nil, fmt.Errorf("%s is not an address of this machine alone", address)
	}
	dialer := net.Dialer{Timeout: answerTimeout}
	return &target{&http.Client{Timeout: answerTimeout, Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address)
		},
		MaxIdleConnsPerHost: underWay, DisableCompression: true,
	}}}, nil
}

// newSecureTarget is newTarget for a server that proves itself to roots.
func newSecureTarget(address string, roots *x509.CertPool) (*target, error) {
	t, err := newTarget(address)
	if err == nil {
		t.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return t, err
}

// makeRequest returns the next request of a load. It may be called at once by
// many.
type makeRequest func(ctx context.Context) (*http.Request, error)

// send makes a request and reads the answer to its end. Whatever is no success
// is an error: what fails early would look fast.
func (t *target) send(ctx context.Context, next makeRequest) error {
	req, err := next(ctx)
	if err != nil {
		return err
	}
	resp, err := t.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10)) // the status says enough
		return fmt.Errorf("%s %s answers %d: %s", req.Method, req.URL.Path, resp.StatusCode, text)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// takeTurns calls work for each of so many sides in every round, so that the
// sides meet the same machine in the same mood. Who is second is first in the
// next round.
func takeTurns(rounds, sides int, work func(side, round int) error) error {
	for round := range rounds {
		for turn := range sides {
			if err := work((round+turn)%sides, round); err != nil {
				return err
			}
		}
	}
	return nil
}

// saturate has so many senders send one request after the other for d. It
// returns how many were answered, and in which time.
func (t *target) saturate(ctx context.Context, senders int, d time.Duration, next makeRequest) (int64, time.Duration, error) {
	var answered atomic.Int64
	start := time.Now()
	group, within := errgroup.WithContext(ctx)
	for range senders {
		group.Go(func() error {
			for time.Since(start) < d {
				if err := t.send(within, next); err != nil {
					return err
				}
				answered.Add(1)
			}
			return nil
		})
	}
	err := group.Wait()
	return answered.Load(), time.Since(start), err
}

// pace sends requests at a rate per second for d, each at its time whether or
// not those before it have been answered, and returns how long after their
// times the answers were there. The times are random, as those of users who
// know nothing of each other.
func (t *target) pace(ctx context.Context, rate int, d time.Duration, next makeRequest) (series, error) {
	var mu sync.Mutex
	var times series
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(underWay)
	start, due := time.Now(), time.Duration(0)
	for within.Err() == nil {
		due += time.Duration(rand.ExpFloat64() * float64(time.Second) / float64(rate))
		if due >= d {
			break
		}
		at := start.Add(due)
		if err := pause(within, time.Until(at)); err != nil {
			break
		}
		group.Go(func() error {
			err := t.send(within, next)
			mu.Lock()
			defer mu.Unlock()
			times = append(times, time.Since(at))
			return err
		})
	}
	return times, group.Wait()
}
