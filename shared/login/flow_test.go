package login_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/login"
	"github.com/pods-service/pods/shared/pods"
)

// journey is a visitor's way through a login, step by step.
type journey struct {
	t       *testing.T
	world   *world
	gateway *login.Login
	api     *login.Login
	entry   login.Entry
	browser browser
}

func newJourney(t *testing.T, entry login.Entry) *journey {
	t.Helper()
	w := newWorld()
	return &journey{t: t, world: w, gateway: newLogin(t, w, false), api: newLogin(t, w, true), entry: entry, browser: browser{}}
}

// visit opens a path of the pod and keeps the cookies.
func (j *journey) visit(target string) login.Decision {
	j.t.Helper()
	decision := j.gateway.Decide(j.t.Context(), j.browser.visit(j.entry, target))
	j.browser.keep(decision)
	return decision
}

// begin opens target and returns the sealed state.
func (j *journey) begin(target string) string {
	j.t.Helper()
	decision := j.visit(target)
	if decision.Status != http.StatusFound {
		j.t.Fatalf("%s answers %d %s", target, decision.Status, decision.Text)
	}
	return query(j.t, decision.Location, "state")
}

// callback comes back from the tenant.
func (j *journey) callback(code, state string) login.Decision {
	return j.api.Callback(j.t.Context(), j.entry, url.Values{"code": {code}, "state": {state}})
}

// ticket logs in and returns the target with the ticket.
func (j *journey) ticket(target string) string {
	j.t.Helper()
	decision := j.callback("code", j.begin(target))
	ticket, found := strings.CutPrefix(decision.Location, "https://"+j.entry.Host)
	if !found {
		j.t.Fatalf("the callback leads to %q: %d %s", decision.Location, decision.Status, decision.Text)
	}
	return ticket
}

func TestLoginFlow(t *testing.T) {
	t.Parallel()

	j := newJourney(t, entryOf("web"))
	first := j.visit("/page?q=1")
	if !strings.HasPrefix(first.Location, "https://dev.example.org/v3/pods/web/auth/login?state=") {
		t.Fatalf("leads to %s", first.Location)
	}
	nonce := first.Cookies[0]
	if text := nonce.String(); nonce.Name != "__Host-pods-login" ||
		!strings.HasSuffix(text, "; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax") {
		t.Errorf("cookie %s", text)
	}
	state := query(t, first.Location, "state")
	start := j.api.Start(t.Context(), j.entry, state)
	address, err := url.Parse(start.Location)
	if err != nil || !strings.HasPrefix(start.Location, "https://dev.example.org/v3/oauth2/authorize?") {
		t.Fatalf("leads to %s", start.Location)
	}
	if q := address.Query(); q.Get("client_id") != "PODS-SERVICE-pods-site-dev-web-default" ||
		q.Get("redirect_uri") != "https://dev.example.org/v3/pods/web/auth/callback" || q.Get("state") != state || len(q.Get("code_challenge")) != 43 {
		t.Errorf("authorize with %v", q)
	}
	back := j.callback("code", state)
	ticket, found := strings.CutPrefix(back.Location, "https://web.pods.example.org")
	if !found || !strings.HasPrefix(ticket, "/.pods/login?ticket=") || len(back.Cookies) > 0 {
		t.Fatalf("leads to %s with %v", back.Location, back.Cookies)
	}
	end := j.visit(ticket)
	if end.Location != "https://web.pods.example.org/page?q=1" || len(j.browser) != 1 || j.browser[login.CookieSession] == "" {
		t.Fatalf("leads to %s, cookies %v", end.Location, j.browser)
	}
	if text := end.Cookies[0].String(); !strings.HasSuffix(text, "; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax") {
		t.Errorf("session cookie %s", text)
	}
	if got := j.visit("/page"); !got.Allowed || got.Visitor != (login.Visitor{TenantID: "dev", SiteID: "site", Username: "alice"}) {
		t.Errorf("the session brings %s as %v", outcome(got), got.Visitor)
	}
	j.world.pass(time.Hour)
	if got := j.visit("/page"); outcome(got) != toLogin {
		t.Errorf("after the end of the token: %s", outcome(got))
	}
}

// TestForwardAuthBeginsAtTheTenant: the API itself sends visitors straight to
// the tenant's login.
func TestForwardAuthBeginsAtTheTenant(t *testing.T) {
	t.Parallel()

	j := newJourney(t, entryOf("web"))
	got := j.api.Decide(t.Context(), visitTo(j.entry, "/"))
	if !strings.HasPrefix(got.Location, "https://dev.example.org/v3/oauth2/authorize?") || len(got.Cookies) != 1 {
		t.Errorf("leads to %s with %v", got.Location, got.Cookies)
	}
}

func TestReturnPath(t *testing.T) {
	t.Parallel()

	configured := func(n *pods.Networking) { n.TapisAuthReturnPath = "/home" }
	tests := map[string]struct {
		visit func(*login.Visit)
		want  string
	}{
		"Page":           {func(*login.Visit) {}, "/page?q=%20"},
		"Script":         {func(v *login.Visit) { v.Header.Set("Sec-Fetch-Mode", "cors") }, "/home"},
		"Form":           {func(v *login.Visit) { v.Method = http.MethodPost }, "/home"},
		"TwoSlashes":     {func(v *login.Visit) { v.Target = "//evil.example" }, "/home"},
		"Backslash":      {func(v *login.Visit) { v.Target = "/\\evil.example" }, "/home"},
		"BackslashLater": {func(v *login.Visit) { v.Target = "/a\\b" }, "/home"},
		"Tab":            {func(v *login.Visit) { v.Target = "/\t/evil.example" }, "/home"},
		"Own":            {func(v *login.Visit) { v.Target = "/.pods/other" }, "/home"},
		"Long":           {func(v *login.Visit) { v.Target = "/" + strings.Repeat("a", 2000) }, "/home"},
		"NoPath":         {func(v *login.Visit) { v.Target = "https://evil.example/" }, "/home"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			j := newJourney(t, entryOf("web", configured))
			v := visitTo(j.entry, "/page?q=%20")
			tc.visit(&v)
			decision := j.gateway.Decide(t.Context(), v)
			j.browser.keep(decision)
			back := j.callback("code", query(t, decision.Location, "state"))
			if got := j.visit(strings.TrimPrefix(back.Location, v.Origin)); got.Location != v.Origin+tc.want {
				t.Errorf("back to %q, want %q", got.Location, v.Origin+tc.want)
			}
		})
	}
}

// TestRefusedReturns goes through ways back from the tenant that must lead
// nowhere.
func TestRefusedReturns(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		come   func(*journey) login.Decision
		status int
	}{
		"NoCode":      {func(j *journey) login.Decision { return j.callback("", j.begin("/")) }, 400},
		"NoState":     {func(j *journey) login.Decision { return j.callback("code", "") }, 400},
		"ForgedState": {func(j *journey) login.Decision { return j.callback("code", "AAAA") }, 400},
		"LateState": {func(j *journey) login.Decision {
			state := j.begin("/")
			j.world.pass(10 * time.Minute)
			return j.callback("code", state)
		}, 400},
		"StateOfAnotherPod": {func(j *journey) login.Decision {
			state := j.begin("/")
			j.entry = entryOf("db")
			return j.callback("code", state)
		}, 400},
		"StateOfAnotherEntry": {func(j *journey) login.Decision {
			state := j.begin("/")
			j.entry.Key = "other"
			return j.callback("code", state)
		}, 400},
		"StateOfAnotherTenant": {func(j *journey) login.Decision {
			state := j.begin("/")
			j.entry.TenantID = "far"
			return j.callback("code", state)
		}, 400},
		"HostHasMoved": {func(j *journey) login.Decision {
			state := j.begin("/")
			j.entry.Host = "web.pods.elsewhere.org"
			return j.callback("code", state)
		}, 400},
		"TicketAsState": {func(j *journey) login.Decision {
			_, ticket, _ := strings.Cut(j.ticket("/"), "=")
			return j.callback("code", ticket)
		}, 400},
		"BrokenOff": {func(j *journey) login.Decision {
			return j.api.Callback(j.t.Context(), j.entry, url.Values{"error": {"access_denied"}, "state": {j.begin("/")}})
		}, 400},
		"BadCode": {func(j *journey) login.Decision { return j.callback("bad", j.begin("/")) }, 502},
		"BadToken": {func(j *journey) login.Decision {
			j.world.token = "junk"
			return j.callback("code", j.begin("/"))
		}, 403},
		"TokenOfAnotherTenant": {func(j *journey) login.Decision {
			j.world.token = "far/alice" // who could visit by a token of their own
			return j.callback("code", j.begin("/"))
		}, 403},
		"TokenOfAService": {func(j *journey) login.Decision {
			j.world.token = "dev/service"
			return j.callback("code", j.begin("/"))
		}, 403},
		"NotOnTheList": {func(j *journey) login.Decision {
			j.entry = entryOf("web", allow("bob"))
			return j.callback("code", j.begin("/"))
		}, 403},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			j := newJourney(t, entryOf("web"))
			got := tc.come(j)
			if got.Status != tc.status || got.Location != "" || len(got.Cookies) > 0 || got.Text == "" {
				t.Errorf("%d %q, to %q with %v, want %d", got.Status, got.Text, got.Location, got.Cookies, tc.status)
			}
			if tc.status == 400 && name != "TicketAsState" && len(j.world.exchanged) > 0 {
				t.Errorf("the codes %v were used", j.world.exchanged)
			}
		})
	}
}

// TestRefusedTickets goes through tickets that must make no session.
func TestRefusedTickets(t *testing.T) {
	t.Parallel()

	tests := map[string]func(*journey) login.Decision{
		"UsedAlready": func(j *journey) login.Decision {
			ticket := j.ticket("/")
			j.visit(ticket)
			return j.visit(ticket)
		},
		"InAnotherBrowser": func(j *journey) login.Decision {
			ticket := j.ticket("/")
			j.browser = browser{}
			return j.visit(ticket)
		},
		"InABrowserThatHasBegunToo": func(j *journey) login.Decision {
			ticket := j.ticket("/")
			j.browser = browser{}
			j.begin("/")
			return j.visit(ticket)
		},
		"Late": func(j *journey) login.Decision {
			ticket := j.ticket("/")
			j.world.pass(time.Minute)
			return j.visit(ticket)
		},
		"AtAnotherHost": func(j *journey) login.Decision {
			ticket := j.ticket("/")
			j.entry = entryOf("db")
			return j.visit(ticket)
		},
		"Forged":       func(j *journey) login.Decision { j.begin("/"); return j.visit("/.pods/login?ticket=AAAA") },
		"None":         func(j *journey) login.Decision { j.begin("/"); return j.visit("/.pods/login") },
		"BrokenQuery":  func(j *journey) login.Decision { j.begin("/"); return j.visit("/.pods/login?ticket=%zz") },
		"StateInstead": func(j *journey) login.Decision { return j.visit("/.pods/login?ticket=" + j.begin("/")) },
		"SessionInstead": func(j *journey) login.Decision {
			j.visit(j.ticket("/"))
			return j.visit("/.pods/login?ticket=" + j.browser[login.CookieSession])
		},
	}
	for name, come := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			j := newJourney(t, entryOf("web"))
			got := come(j)
			if got.Status != http.StatusBadRequest || got.Location != "" || len(got.Cookies) > 0 || !strings.Contains(got.Text, "https://") {
				t.Errorf("%d %q, to %q with %v", got.Status, got.Text, got.Location, got.Cookies)
			}
		})
	}
}

// TestPagesOpenedTogether: a browser that opens two pages before it has logged
// in can finish either login.
func TestPagesOpenedTogether(t *testing.T) {
	t.Parallel()

	j := newJourney(t, entryOf("web"))
	first, second := j.begin("/one"), j.begin("/two")
	origin := "https://" + j.entry.Host
	for state, want := range map[string]string{first: origin + "/one", second: origin + "/two"} {
		other := &journey{t: t, world: j.world, gateway: j.gateway, api: j.api, entry: j.entry, browser: browser{}}
		for name, value := range j.browser {
			other.browser[name] = value
		}
		back := other.callback("code", state)
		if got := other.visit(strings.TrimPrefix(back.Location, origin)); got.Location != want {
			t.Errorf("back to %q, want %s", got.Location, want)
		}
	}
}

func TestStartRefusesOtherStates(t *testing.T) {
	t.Parallel()

	j := newJourney(t, entryOf("web"))
	state := j.begin("/")
	j.entry = entryOf("db")
	for _, sealed := range []string{state, "", "AAAA"} {
		if got := j.api.Start(t.Context(), j.entry, sealed); got.Status != http.StatusBadRequest || got.Location != "" {
			t.Errorf("%d, to %q", got.Status, got.Location)
		}
	}
}

// TestSessionLife: a session lasts four hours at most, however long the token.
func TestSessionLife(t *testing.T) {
	t.Parallel()

	j := newJourney(t, entryOf("web"))
	ticket := j.ticket("/")
	j.world.pass(30 * time.Second)
	end := j.visit(ticket)
	if got := end.Cookies[0].MaxAge; got != 3570 {
		t.Errorf("the session lasts %d s, want the rest of the token's hour", got)
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		method, site string
		want         int
	}{
		"Typed":          {http.MethodGet, "none", 200},
		"Followed":       {http.MethodGet, "same-origin", 200},
		"OtherPod":       {http.MethodGet, "same-site", 403},
		"OtherSite":      {http.MethodGet, "cross-site", 403},
		"NotSaid":        {http.MethodGet, "", 403},
		"Post":           {http.MethodPost, "", 200},
		"PostOfOtherPod": {http.MethodPost, "same-site", 200},
		"PostElsewhere":  {http.MethodPost, "cross-site", 403},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			j := newJourney(t, entryOf("web"))
			j.visit(j.ticket("/"))
			v := j.browser.visit(j.entry, "/.pods/logout")
			v.Method = tc.method
			v.Header.Set("Sec-Fetch-Site", tc.site)
			got := j.gateway.Decide(t.Context(), v)
			j.browser.keep(got)
			if got.Allowed || got.Status != tc.want {
				t.Errorf("%d %s, want %d", got.Status, got.Text, tc.want)
			}
			if isOut := outcome(j.visit("/")) == toLogin; isOut != (tc.want == 200) {
				t.Errorf("logged out: %v", isOut)
			}
		})
	}
}

// TestWrite: browsers get a page, programs the envelope; neither is kept, and
// no text becomes markup.
func TestWrite(t *testing.T) {
	t.Parallel()

	decision := login.Decision{
		Status: 403, Title: "No", Text: "<b>bold</b>", Cookies: []*http.Cookie{{Name: "a", Value: "b"}},
	}
	for accept, want := range map[string]string{"text/html": "&lt;b&gt;bold", "*/*": `"message":"<b>bold</b>"`} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		decision.Write(w, r, "1.2.3")
		if w.Code != 403 || !strings.Contains(w.Body.String(), want) || w.Header().Get("Cache-Control") != "no-store" ||
			!slices.Equal(w.Header().Values("Set-Cookie"), []string{"a=b"}) || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v %s", accept, w.Code, w.Header(), w.Body)
		}
	}
}

func TestCookiesAreRemoved(t *testing.T) {
	t.Parallel()

	for line, want := range map[string]string{
		"a=b": "a=b", "a=b; X-Tapis-Token=t; c=d": "a=b; c=d", "x_tapis_token=t": "",
		"__Host-pods-session=s; a=b": "a=b", "a=b;__host-PODS_session=s": "a=b", "__Host-pods-login=n; __Host-pods-session=s": "",
		"pods=1; my-tapis=2": "pods=1; my-tapis=2", "__Host-pods-sessions=1": "__Host-pods-sessions=1",
	} {
		header := http.Header{"Cookie": {line}}
		login.RemoveCookies(header)
		if got := header.Get("Cookie"); got != want {
			t.Errorf("%q becomes %q, want %q", line, got, want)
		}
	}
}
