package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"time"

	assets "github.com/pods-service/pods"
	"github.com/pods-service/pods/shared/events"
)

// ingress is a Broker that takes events over HTTP and answers, as Knative's
// with the in-memory channel does, when they are delivered.
type ingress struct {
	url       string
	server    *httptest.Server
	endpoints *endpoints
}

// startIngress starts a Broker with one Trigger, which lets all events through
// and delivers as the spawner's does.
func startIngress(deadLetters events.DeadLetters) (*ingress, error) {
	shipped, err := events.ParseTriggers(assets.Triggers)
	if err != nil {
		return nil, err
	}
	trigger := events.Trigger{Name: "bench", Subscriber: "handler", Path: "/"}
	for _, t := range shipped {
		if t.Name == "spawner" {
			trigger.Delivery = t.Delivery
		}
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	to := &endpoints{addresses: make([]string, instances)}
	broker, err := events.NewBroker([]events.Trigger{trigger}, map[string]http.Handler{"handler": to.proxy()}, deadLetters,
		events.BrokerOptions{Logger: logger})
	if err != nil {
		return nil, err
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, err := events.Read(w, r)
		if err == nil {
			err = broker.Send(r.Context(), event)
		}
		events.Acknowledge(w, r, slog.New(slog.DiscardHandler), event, err)
	}))
	return &ingress{url: server.URL, server: server, endpoints: to}, nil
}

func (i *ingress) close() { i.server.Close() }

// endpoints are the handlers that take events, in turn. One that cannot be
// reached is left out until it is set again, as Kubernetes does with a pod.
type endpoints struct {
	mu        sync.Mutex
	addresses []string // empty for one that is down
	next      int
}

func (e *endpoints) set(i int, address string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.addresses[i] = address
}

func (e *endpoints) down(address string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range e.addresses {
		if e.addresses[i] == address {
			e.addresses[i] = ""
		}
	}
}

// pick returns the next endpoint, or "" when all are down.
func (e *endpoints) pick() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	for range e.addresses {
		e.next = (e.next + 1) % len(e.addresses)
		if address := e.addresses[e.next]; address != "" {
			return address
		}
	}
	return ""
}

type pickedKey struct{}

// proxy passes a request on to one endpoint. A delivery that fails is for the
// Broker to try again.
func (e *endpoints) proxy() http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: r.In.Context().Value(pickedKey{}).(string)})
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, ResponseHeaderTimeout: time.Minute},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, _ error) {
			if r.Context().Err() == nil { // or the sender has gone, not the handler
				e.down(r.Context().Value(pickedKey{}).(string))
			}
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		address := e.pick()
		if address == "" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), pickedKey{}, address)))
	})
}
