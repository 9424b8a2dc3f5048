package server_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/pods-service/pods/gateway/server"
)

// whoami answers with the address that the visitor has.
var whoami = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	address, _ := netip.ParseAddrPort(r.RemoteAddr)
	_, _ = io.WriteString(w, address.Addr().String())
})

// header returns one of the PROXY protocol, for a visitor at 203.0.113.9.
func header(t *testing.T, version byte, command proxyproto.ProtocolVersionAndCommand) string {
	t.Helper()
	h := &proxyproto.Header{
		Version: version, Command: command, TransportProtocol: proxyproto.TCPv4,
		SourceAddr:      &net.TCPAddr{IP: net.IPv4(203, 0, 113, 9), Port: 5000},
		DestinationAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443},
	}
	if command == proxyproto.LOCAL {
		h.TransportProtocol, h.SourceAddr, h.DestinationAddr = proxyproto.UNSPEC, nil, nil
	}
	text, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestProxyProtocol: the word of a balancer counts, and only its.
func TestProxyProtocol(t *testing.T) {
	t.Parallel()

	balancers := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8")}
	others := balancers[:1]
	tests := map[string]struct {
		from   []netip.Prefix
		header string
		want   string // the visitor's address; empty when there is no proper answer
	}{
		"Version1":  {balancers, header(t, 1, proxyproto.PROXY), "203.0.113.9"},
		"Version2":  {balancers, header(t, 2, proxyproto.PROXY), "203.0.113.9"},
		"Local":     {balancers, header(t, 2, proxyproto.LOCAL), "127.0.0.1"},
		"Unknown":   {balancers, "PROXY UNKNOWN\r\n", "127.0.0.1"},
		"Missing":   {balancers, "", ""},
		"Broken":    {balancers, "PROXY TCP4 nonsense\r\n", ""},
		"Endless":   {balancers, "PROXY TCP4 " + strings.Repeat("1", 1000), ""},
		"ForgedV1":  {others, header(t, 1, proxyproto.PROXY), ""},
		"ForgedV2":  {others, header(t, 2, proxyproto.PROXY), ""},
		"Untrusted": {others, "", "127.0.0.1"},
		"NobodyIs":  {nil, "", "127.0.0.1"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			r := run(t, server.Options{Handler: whoami, ProxyProtocolFrom: tc.from})
			for _, secure := range []bool{false, true} {
				address := r.plain
				if secure {
					address = r.secure
				}
				conn, _ := send(t, address, tc.header)
				if secure {
					conn = tls.Client(conn, &tls.Config{RootCAs: r.trusted, ServerName: "db.pods.localhost"})
				}
				_, _ = io.WriteString(conn, get) // fails where the handshake does
				response, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
					t.Fatalf("TLS %t: the connection stays open", secure)
				}
				got := ""
				if err == nil {
					if body, _ := io.ReadAll(response.Body); response.StatusCode == http.StatusOK {
						got = string(body)
					}
					_ = response.Body.Close()
				}
				if got != tc.want {
					t.Errorf("TLS %t: the visitor is %q, %v, want %q", secure, got, err, tc.want)
				}
			}
		})
	}
}

// TestMaxPerClient: one more than its share is closed at once, while others are
// served.
func TestMaxPerClient(t *testing.T) {
	t.Parallel()

	registry := prometheus.NewRegistry()
	r := run(t, server.Options{
		MaxPerClient: 2, Registerer: registry, Handler: http.HandlerFunc(upgrade),
		ProxyProtocolFrom: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	})
	as := func(client string) string { return "PROXY TCP4 " + client + " 127.0.0.1 1 443\r\n" + get }
	first, answer := send(t, r.plain, as("203.0.113.1"))
	_, _ = answer.ReadString('\n')
	_, answer = send(t, r.plain, as("203.0.113.1"))
	_, _ = answer.ReadString('\n')
	_, answer = send(t, r.plain, as("203.0.113.1"))
	if got, err := answer.ReadString('\n'); err == nil {
		t.Errorf("a third connection was served: %q", got)
	}
	_, answer = send(t, r.plain, as("203.0.113.2"))
	if got, err := answer.ReadString('\n'); got != "upgraded\n" {
		t.Errorf("another client: %q, %v", got, err)
	}
	const want = `
# HELP pods_gateway_rejected_connections_total Connections of visitors that were closed at once.
# TYPE pods_gateway_rejected_connections_total counter
pods_gateway_rejected_connections_total{listener="plain",reason="client"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "pods_gateway_rejected_connections_total"); err != nil {
		t.Error(err)
	}
	_ = first.Close()
	for deadline := time.Now().Add(patience); ; { // the place is free in a moment
		_, answer = send(t, r.plain, as("203.0.113.1"))
		if got, _ := answer.ReadString('\n'); got == "upgraded\n" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the place of a closed connection is not given to the next")
		}
	}
}

// TestIPv6Clients: a client has as many addresses as it likes, in one network.
func TestIPv6Clients(t *testing.T) {
	t.Parallel()

	r := run(t, server.Options{
		MaxPerClient: 1, Handler: http.HandlerFunc(upgrade),
		ProxyProtocolFrom: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	})
	for _, tc := range []struct {
		client string
		served bool
	}{
		{"2001:db8:0:1::1", true}, {"2001:db8:0:1:ffff::2", false}, {"2001:db8:0:2::1", true},
	} {
		_, answer := send(t, r.plain, "PROXY TCP6 "+tc.client+" ::1 1 443\r\n"+get)
		if got, _ := answer.ReadString('\n'); (got == "upgraded\n") != tc.served {
			t.Errorf("%s: %q", tc.client, got)
		}
	}
}
