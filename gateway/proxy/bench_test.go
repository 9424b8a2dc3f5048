package proxy_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/pods-service/pods/gateway/proxy"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/routes"
	"github.com/pods-service/pods/shared/routes/feed"
)

// BenchmarkProxy compares the gateway, with 10,000 routes, with a bare
// httputil.ReverseProxy in front of the same program.
func BenchmarkProxy(b *testing.B) {
	for _, size := range []int{100, 64 << 10} {
		content := strings.Repeat("x", size)
		program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, content) }))
		defer program.Close()
		target, err := url.Parse(program.URL)
		if err != nil {
			b.Fatal(err)
		}
		s := newSite(b, func(o *proxy.Options) { o.AccessLevel = slog.LevelDebug })
		s.table.Store(routes.Build(manyPods(10_000)))
		s.put("db", pods.StatusAvailable, program.Listener.Addr())
		bare := httptest.NewServer(&httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(target)
				r.SetXForwarded()
			},
			Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
		})
		defer bare.Close()
		for name, address := range map[string]string{
			"direct": program.Listener.Addr().String(), "bare": bare.Listener.Addr().String(), "gateway": s.plain,
		} {
			b.Run(fmt.Sprintf("%dB/%s", size, name), func(b *testing.B) { load(b, address) })
		}
	}
}

// load sends requests over several connections at once.
func load(b *testing.B, address string) {
	b.Helper()
	b.ReportAllocs()
	transport := &http.Transport{
		MaxIdleConnsPerHost: 256, DisableCompression: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			response, err := client.Get("http://db.pods.localhost/path?query=1")
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			if response.StatusCode != http.StatusOK {
				b.Errorf("status %d", response.StatusCode)
				return
			}
		}
	})
}

func manyPods(count int) []pods.Pod {
	all := make([]pods.Pod, count)
	for i := range all {
		id := fmt.Sprintf("pod%d", i)
		networking := map[string]pods.Networking{pods.DefaultNetworkKey: pods.NewNetworking()}
		all[i] = pods.Pod{
			TenantID: "tenantone", ID: id, Status: pods.StatusAvailable, Address: "10.1.2.3",
			Spec: pods.Spec{Networking: pods.WithURLs(networking, id, "pods.localhost")},
		}
	}
	return all
}

// BenchmarkChangeToServed measures from the announcement that a pod is
// AVAILABLE to the end of a first answer through its host, with 10,000 others.
func BenchmarkChangeToServed(b *testing.B) {
	program := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer program.Close()
	source := &source{pods: map[string]pods.Pod{}, all: manyPods(10_000)}
	f := feed.New(feed.Options{Source: source, Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { _ = f.Run(ctx) }()
	<-f.Ready()
	s := newSite(b, func(o *proxy.Options) { o.Routes, o.AccessLevel = f.Table, slog.LevelDebug })
	client := s.client(s.plain, false)
	for i := 0; b.Loop(); i++ {
		id := fmt.Sprintf("new%d", i)
		source.add(id, program.Listener.Addr().(*net.TCPAddr))
		f.Changed("tenantone", id)
		for {
			response, err := client.Get("http://" + id + ".pods.localhost/")
			if err != nil {
				b.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				break
			}
		}
	}
}
