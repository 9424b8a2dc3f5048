package main

import (
	"context"
	"errors"
	"fmt"
)

// staff are the processes of a run of B6.
type staff struct {
	bench     *deliveryBench
	producers []*child
	handlers  []*child
	killed    int
}

// hire starts the processes. What it returns with an error must be dismissed
// too.
func (b *deliveryBench) hire(ctx context.Context) (*staff, error) {
	s := &staff{bench: b, producers: make([]*child, instances), handlers: make([]*child, instances)}
	for i := range instances {
		if err := s.startHandler(ctx, i); err != nil {
			return s, err
		}
	}
	for i := range instances {
		if err := s.startProducer(ctx, i); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *staff) startHandler(ctx context.Context, i int) (err error) {
	s.handlers[i], err = startChild(ctx, "handler", sideSettings{DatabaseURL: s.bench.servers.DatabaseURL})
	if err == nil {
		s.bench.broker.endpoints.set(i, s.handlers[i].address)
	}
	return err
}

func (s *staff) startProducer(ctx context.Context, i int) (err error) {
	s.producers[i], err = startChild(ctx, "producer", sideSettings{
		DatabaseURL: s.bench.servers.DatabaseURL, Sink: s.bench.broker.url,
		Rate: s.bench.o.rate / instances, Part: i, Parts: instances,
	})
	return err
}

// killNext kills one process and starts it again. Producers and handlers take
// turns, and so do those of each kind.
func (s *staff) killNext(ctx context.Context) error {
	i := s.killed / 2 % instances
	s.killed++
	if s.killed%2 == 1 {
		fmt.Printf("Killing producer %d\n", i)
		s.producers[i].kill()
		return s.startProducer(ctx, i)
	}
	fmt.Printf("Killing handler %d\n", i)
	s.handlers[i].kill()
	return s.startHandler(ctx, i)
}

// dismiss stops the producers and, where all is set, the handlers as well. It
// may be called again.
func (s *staff) dismiss(all bool) error {
	var failures []error
	stop := func(children []*child) {
		for i, c := range children {
			if c != nil {
				failures = append(failures, c.stop())
				children[i] = nil
			}
		}
	}
	stop(s.producers)
	if all {
		stop(s.handlers)
	}
	return errors.Join(failures...)
}
