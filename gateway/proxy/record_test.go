package proxy_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/pods-service/pods/gateway/proxy"
	"github.com/pods-service/pods/shared/pods"
)

// TestAccessLog: a line per request says where it went and what came of it,
// and nothing by which somebody could pose as the visitor.
func TestAccessLog(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	host := s.pod("db", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "answer")
	})
	r := newRequest(t, http.MethodPost, "https://"+host+"/the/path?password=hunter2", strings.NewReader("hunter2"))
	for _, name := range []string{"Authorization", "Cookie", "X-Tapis-Token", "User-Agent", "Referer", "X-Forwarded-For"} {
		r.Header.Set(name, "hunter2")
	}
	s.ways()["http2"].do(t, r)
	log := s.waitForLog(t, "msg=request")
	for _, want := range []string{
		"level=INFO", "method=POST", "host=db.pods.localhost", "path=/the/path", "protocol=HTTP/2.0", "tls=true",
		"client=127.0.0.1:", "status=202", "bytes=6", "took=", "tenant_id=tenantone", "pod_id=db", "key=default", "target=127.0.0.1:",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(log, "hunter2") || t.Failed() {
		t.Errorf("log: %s", log)
	}
}

func TestAccessLogOfFailure(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	s.put("db", pods.StatusAvailable, speak(t, "no HTTP "+strings.Repeat("x", 3000)+"\r\n\r\n"))
	s.ways()["http1"].get(t, "http://db.pods.localhost/"+strings.Repeat("p", 3000)+"?password=hunter2")
	log := s.waitForLog(t, "msg=request")
	if !strings.Contains(log, "status=502") || !strings.Contains(log, "malformed HTTP") || strings.Contains(log, "hunter2") {
		t.Errorf("log: %s", log)
	}
	if len(log) > 1500 {
		t.Errorf("a client and a pod can make a line of %d bytes", len(log))
	}
}

func TestAccessLevel(t *testing.T) {
	t.Parallel()

	s := newSite(t, func(o *proxy.Options) { o.AccessLevel = slog.LevelDebug })
	s.ways()["http1"].get(t, "http://none.pods.localhost/")
	if log := s.log.String(); log != "" {
		t.Errorf("logged below its level: %s", log)
	}
}

func TestRequestMetrics(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	host := s.pod("db", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(map[string]int{"/ok": 200, "/gone": 302, "/bad": 418, "/worse": 599}[r.URL.Path])
	})
	w := s.ways()["http1"]
	w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, path := range []string{"/ok", "/ok", "/gone", "/bad", "/worse"} {
		w.get(t, "http://"+host+path)
		s.waitForLog(t, "path="+path)
	}
	w.get(t, "http://none.pods.localhost/unknown")
	s.waitForLog(t, "path=/unknown")
	const want = `
# HELP pods_gateway_requests_total Requests of visitors, by class of status; 1xx are upgrades.
# TYPE pods_gateway_requests_total counter
pods_gateway_requests_total{code="1xx"} 0
pods_gateway_requests_total{code="2xx"} 2
pods_gateway_requests_total{code="3xx"} 1
pods_gateway_requests_total{code="4xx"} 2
pods_gateway_requests_total{code="5xx"} 1
pods_gateway_requests_total{code="none"} 0
`
	if err := testutil.GatherAndCompare(s.registry, strings.NewReader(want), "pods_gateway_requests_total"); err != nil {
		t.Error(err)
	}
	if got := s.gauge("pods_gateway_active_requests"); got != 0 {
		t.Errorf("%v requests are active", got)
	}
}

// TestVisitorWhoLeavesIsNoFailure: a request without an answer is counted by
// itself and not against the pod.
func TestVisitorWhoLeavesIsNoFailure(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	entered := make(chan struct{})
	host := s.pod("db", func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	})
	w := s.ways()["http1"]
	done := make(chan struct{})
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		defer close(done)
		r := newRequest(t, http.MethodGet, "http://"+host+"/", nil)
		if response, err := w.client.Do(r.WithContext(ctx)); err == nil {
			_ = response.Body.Close()
		}
	}()
	receive(t, entered, "the request")
	leave()
	<-done
	if log := s.waitForLog(t, "status=499"); !strings.Contains(log, "pod_id=db") {
		t.Errorf("log: %s", log)
	}
}

// TestRestrictedEntriesStayClosed: what cannot be checked lets nobody in, a list
// lets nobody else in, and neither tells anything of the pod.
func TestRestrictedEntriesStayClosed(t *testing.T) {
	t.Parallel()

	s := newSite(t)
	for id, change := range map[string]func(*pods.Networking){
		"login": func(n *pods.Networking) { n.TapisAuth = true },
		"list":  func(n *pods.Networking) { n.IPAllowList = []string{"10.0.0.1"} },
	} {
		for _, status := range []pods.Status{pods.StatusAvailable, pods.StatusStopped} {
			s.put(id, status, freePort(t), change)
			response, body := s.ways()["http1"].get(t, "http://"+id+".pods.localhost/")
			if response.StatusCode != http.StatusForbidden || strings.Contains(strings.ToLower(body), "stopped") {
				t.Errorf("%s, %s: %d %s", id, status, response.StatusCode, body)
			}
		}
	}
}
