package login_test

import (
	"testing"
	"time"

	"github.com/pods-service/pods/shared/login"
	"github.com/pods-service/pods/shared/pods"
)

// BenchmarkDecide is what a login adds to each request of a visitor who has a
// session.
func BenchmarkDecide(b *testing.B) {
	w := newWorld()
	l := newLogin(b, w, false)
	entry := entryOf("web", func(n *pods.Networking) {
		n.TapisAuthResponseHeaders = map[string]string{"X-Tapis-Username": "<<tapisusername>>", "X-Tapis-Tenant": "<<tapistenantid>>"}
	})
	groups := entryOf("web", allow("AUTHORIZED_READS"))
	sealed := l.SealSession(login.Visitor{TenantID: "dev", SiteID: "site", Username: "reader"}, entry.Host, w.now.Add(time.Hour))
	for name, entry := range map[string]login.Entry{"everybody": entry, "permissions": groups} {
		visit := program(entry, "Cookie", "a=b; "+login.CookieSession+"="+sealed)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !l.Decide(b.Context(), visit).Allowed {
					b.Fatal("refused")
				}
			}
		})
	}
}
