package rest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/pods-service/pods/shared/rest"
)

func TestOriginalHost(t *testing.T) {
	t.Parallel()

	const service = "api.pods-service.svc.cluster.local"
	tests := map[string]struct {
		host     string
		original []string
		want     string
	}{
		"Mapped":         {service, []string{"pods.example.org"}, "pods.example.org"},
		"MappedWithPort": {service + ":80", []string{"dev.localhost"}, "dev.localhost"},
		"WithinCluster":  {service, nil, service},
		"Claimed":        {"evil.example.org", []string{"localhost"}, "evil.example.org"},
		"ClaimedBySuffix": {
			"evil.svc.cluster.local.example.org", []string{"localhost"}, "evil.svc.cluster.local.example.org",
		},
		"Twice": {service, []string{"a.example.org", "b.example.org"}, service},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Host = tc.host
			for _, host := range tc.original {
				r.Header.Add("K-Original-Host", host)
			}
			var got string
			rest.OriginalHost(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Host })).ServeHTTP(httptest.NewRecorder(), r)
			if got != tc.want {
				t.Errorf("host %q, want %q", got, tc.want)
			}
		})
	}
}
