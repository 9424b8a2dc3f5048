package login_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/login"
)

// FuzzOpen: nothing but what was sealed can be opened, and that at its own
// place alone.
func FuzzOpen(f *testing.F) {
	w := newWorld()
	l := newLogin(f, w, true)
	const host = "web.pods.example.org"
	sealed := l.SealSession(login.Visitor{TenantID: "dev", Username: "alice"}, host, w.now.Add(time.Hour))
	if !l.OpenAny(sealed, host) {
		f.Fatal("a session cannot be opened")
	}
	f.Add(0, "", host)
	f.Add(0, "", "db.pods.example.org")
	f.Add(len(sealed), "\n", host)
	f.Add(1, "A", host)
	f.Add(len(sealed)-1, "", "")
	f.Fuzz(func(t *testing.T, at int, instead, place string) {
		// A part of the value is replaced: sealing anew gives another each time.
		at = min(max(at, 0), len(sealed))
		changed := sealed[:at] + instead + sealed[min(at+len(instead), len(sealed)):]
		if l.OpenAny(changed, place) && (changed != sealed || place != host) {
			t.Errorf("%q can be opened at %q", changed, place)
		}
		if l.OpenAny(instead, place) && place != host {
			t.Errorf("%q can be opened at %q", instead, place)
		}
	})
}

// FuzzReturn: a path to return to stays at its host, as browsers read it.
func FuzzReturn(f *testing.F) {
	for _, target := range []string{"/", "/a?b=c", "//evil.example", "/\\evil.example", "/\t/evil.example", "/.pods/login", "/%2f/x", "/a#b"} {
		f.Add(target)
	}
	f.Fuzz(func(t *testing.T, target string) {
		if !login.IsReturn(target) {
			return
		}
		// Browsers drop these, and take a backslash for a slash.
		read := strings.ReplaceAll(strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(strings.TrimSpace(target)), "\\", "/")
		base, _ := url.Parse("https://web.pods.example.org/")
		if there, err := url.Parse(read); err == nil {
			if at := base.ResolveReference(there); at.Host != base.Host || at.Scheme != base.Scheme {
				t.Errorf("%q leads to %s", target, at)
			}
		}
		if strings.HasPrefix(read, "//") || !strings.HasPrefix(read, "/") {
			t.Errorf("%q leads away", target)
		}
	})
}
