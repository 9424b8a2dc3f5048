package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/pods-service/pods/gateway/certs"
	"github.com/pods-service/pods/gateway/proxy"
	"github.com/pods-service/pods/gateway/server"
	"github.com/pods-service/pods/gateway/streams"
	"github.com/pods-service/pods/gateway/usage"
	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/login"
	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/routes"
)

// visitConnections is how many connections the gateway takes, as it is deployed.
const visitConnections = 10_000

// idleToBackend is how many idle connections a proxy keeps to the program.
const idleToBackend = 256

// backendSide is the program in the place of a pod's.
func backendSide(ctx context.Context, _ sideSettings, ready func(string, func() map[string]int64)) error {
	page := strings.Repeat("x", 1<<10)
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) })
	return serveSide(ctx, answer, nil, ready, noCounts)
}

// reverseProxySide is a bare proxy to the one program.
func reverseProxySide(ctx context.Context, settings sideSettings, ready func(string, func() map[string]int64)) error {
	pair, err := certs.OpenPair(settings.CertFile, settings.KeyFile)
	if err != nil {
		return err
	}
	target := &url.URL{Scheme: "http", Host: settings.Backend}
	bare := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.SetXForwarded()
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: idleToBackend, DisableCompression: true},
	}
	return serveSide(ctx, bare, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair.GetCertificate}, ready, noCounts)
}

// gatewaySide is the gateway as it is deployed, but for the database that its
// routes come from.
func gatewaySide(ctx context.Context, settings sideSettings, ready func(string, func() map[string]int64)) error {
	pair, err := certs.OpenPair(settings.CertFile, settings.KeyFile)
	if err != nil {
		return err
	}
	registry, err := auth.NewRegistry(ctx, auth.FileSource(settings.TenantsFile), auth.RegistryOptions{})
	if err != nil {
		return err
	}
	logger := slog.New(slog.DiscardHandler)
	var key [login.KeySize]byte
	_, _ = rand.Read(key[:]) // never fails
	visits, err := login.New(login.Options{
		Key: key, Tenants: registry, Tokens: auth.NewAuthenticator(registry, fleetTenant.SiteID), Permissions: nobodyElse{}, Logger: logger,
	})
	if err != nil {
		return err
	}
	table, err := visitTable(settings.Backend, settings.Routes)
	if err != nil {
		return err
	}
	current := func() *routes.Table { return table }
	figures := usage.New(current, nil)
	handler := proxy.New(proxy.Options{
		Routes: current, Login: visits, Usage: figures, Logger: logger, AccessLevel: slog.LevelDebug,
	})
	defer handler.Close()
	gateway := server.New(server.Options{
		Handler: handler, GetCertificate: pair.GetCertificate, Logger: logger, MaxConnections: visitConnections,
		Streams: streams.New(streams.Options{
			Routes: current, GetCertificate: pair.GetCertificate, Logger: logger, AccessLevel: slog.LevelDebug, Usage: figures,
		}),
	})
	secure, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ready(secure.Addr().String(), noCounts)
	return gateway.Run(ctx, nil, secure)
}

func noCounts() map[string]int64 { return nil }

// nobodyElse knows the owner of every pod and nobody else.
type nobodyElse struct{}

func (nobodyElse) Pod(context.Context, string, string) (pods.Pod, permissions.Set, error) {
	return pods.Pod{}, permissions.Set{{User: fleetCaller.Username, Level: permissions.Admin}}, nil
}

// visitTable returns the routes of two pods, which are visited, and of as many
// others. They all lead to backend.
func visitTable(backend string, others int) (*routes.Table, error) {
	address, err := netip.ParseAddrPort(backend)
	if err != nil {
		return nil, err
	}
	newPod := func(id string, needsLogin bool) pods.Pod {
		entry := pods.NewNetworking()
		entry.Port, entry.URL = int(address.Port()), pods.Host(id, pods.DefaultNetworkKey, fleetTenant.PodsDomain)
		if needsLogin {
			entry.TapisAuth = true
			entry.TapisAuthAllowedUsers = []string{"AUTHORIZED_READS"}
			entry.TapisAuthResponseHeaders = map[string]string{"X-Visitor": "<<tapisusername>>@<<tapistenantid>>"}
		}
		return pods.Pod{
			TenantID: fleetTenant.ID, SiteID: fleetTenant.SiteID, ID: id, Status: pods.StatusAvailable,
			Address: address.Addr().String(), CreationTS: time.Now(),
			Spec: pods.Spec{Networking: map[string]pods.Networking{pods.DefaultNetworkKey: entry}},
		}
	}
	all := []pods.Pod{newPod("open", false), newPod("closed", true)}
	for i := range others {
		all = append(all, newPod(fmt.Sprintf("pod%d", i), i%2 == 0))
	}
	table := routes.Build(all)
	if problems := table.Problems(); len(problems) > 0 {
		return nil, fmt.Errorf("a route is missing: %s", problems[0])
	}
	return table, nil
}
