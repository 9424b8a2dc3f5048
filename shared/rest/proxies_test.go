package rest_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/pods-service/pods/shared/rest"
)

func TestClientBehindProxies(t *testing.T) {
	t.Parallel()

	proxies := rest.Proxies{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	tests := map[string]struct {
		peer  string
		lines []string
		want  string
	}{
		"Direct":             {"192.0.2.1:5", nil, "192.0.2.1"},
		"DirectAndForged":    {"192.0.2.1:5", []string{"198.51.100.7"}, "192.0.2.1"},
		"OneProxy":           {"10.0.0.1:5", []string{"192.0.2.1"}, "192.0.2.1"},
		"TwoProxies":         {"127.0.0.1:5", []string{"192.0.2.1, 10.0.0.1"}, "192.0.2.1"},
		"TwoLines":           {"127.0.0.1:5", []string{"192.0.2.1", "10.0.0.1"}, "192.0.2.1"},
		"Forged":             {"10.0.0.1:5", []string{"198.51.100.7, 192.0.2.1"}, "192.0.2.1"},
		"ForgedProxies":      {"10.0.0.1:5", []string{"198.51.100.7, 10.9.9.9", "192.0.2.1,10.0.0.2"}, "192.0.2.1"},
		"OnlyProxies":        {"127.0.0.1:5", []string{"10.0.0.7, 10.0.0.1"}, "10.0.0.7"},
		"NotForwarded":       {"10.0.0.1:5", nil, "10.0.0.1"},
		"Broken":             {"10.0.0.1:5", []string{"192.0.2.1, unknown"}, "10.0.0.1"},
		"Empty":              {"10.0.0.1:5", []string{""}, "10.0.0.1"},
		"IPv6":               {"[fd00::1]:5", []string{"2001:db8::7"}, "2001:db8::7"},
		"IPv4InIPv6":         {"[::ffff:10.0.0.1]:5", []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		"ProxyWithItsZone":   {"[fd00::1%eth0]:5", []string{"192.0.2.1"}, "192.0.2.1"},
		"ProxyByASocketOnly": {"@", []string{"192.0.2.1"}, "invalid IP"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = tc.peer
			r.Header["X-Forwarded-For"] = tc.lines
			if got := proxies.Client(r).String(); got != tc.want {
				t.Errorf("Client = %s, want %s", got, tc.want)
			}
		})
	}
}
