package login_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/login"
	"github.com/pods-service/pods/shared/pods"
)

// What a visit comes to.
const (
	allowed   = "allowed"
	refused   = "403"
	toLogin   = "302"
	undecided = "503"
)

func outcome(d login.Decision) string {
	switch {
	case d.Allowed:
		return allowed
	case d.Status == http.StatusForbidden:
		return refused
	case d.Status == http.StatusFound:
		return toLogin
	case d.Status == http.StatusServiceUnavailable:
		return undecided
	}
	return http.StatusText(d.Status)
}

func TestAllowedUsers(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		list  []string
		token string
		want  string
	}{
		"Everybody":            {[]string{"*"}, "dev/anyone", allowed},
		"Empty":                {[]string{}, "dev/anyone", allowed},
		"Absent":               {nil, "dev/anyone", allowed},
		"EverybodyAmongNames":  {[]string{"bob", "*"}, "dev/anyone", allowed},
		"Name":                 {[]string{"bob", "alice"}, "dev/alice", allowed},
		"NameInOtherCase":      {[]string{"ALICE"}, "dev/alice", allowed},
		"NotOnTheList":         {[]string{"bob"}, "dev/alice", refused},
		"Prefix":               {[]string{"alic"}, "dev/alice", refused},
		"PatternIsLiteral":     {[]string{"a.*", "^alice$"}, "dev/alice", refused},
		"Reads":                {[]string{"AUTHORIZED_READS"}, "dev/reader", allowed},
		"ReadsIncludesHigher":  {[]string{"AUTHORIZED_READS"}, "dev/owner", allowed},
		"ReadsIsNotEverybody":  {[]string{"AUTHORIZED_READS"}, "dev/alice", refused},
		"UsersIsMoreThanReads": {[]string{"AUTHORIZED_USERS"}, "dev/reader", refused},
		"Users":                {[]string{"AUTHORIZED_USERS"}, "dev/helper", allowed},
		"Admins":               {[]string{"AUTHORIZED_ADMINS"}, "dev/owner", allowed},
		"AdminsIsMoreThanUser": {[]string{"AUTHORIZED_ADMINS"}, "dev/helper", refused},
		"GroupsInOtherCase":    {[]string{"authorized_reads"}, "dev/reader", refused},
		"Mixed":                {[]string{"alice", "AUTHORIZED_ADMINS"}, "dev/alice", allowed},
		"LowestGroupCounts":    {[]string{"AUTHORIZED_ADMINS", "AUTHORIZED_READS"}, "dev/reader", allowed},
		"SharedTenant":         {[]string{"*"}, "far/anyone", allowed},
		"SharedTenantReads":    {[]string{"AUTHORIZED_READS"}, "far/anyone", allowed},
		"SharedTenantUsers":    {[]string{"AUTHORIZED_USERS"}, "far/anyone", refused},
		"NamesAreOfOneTenant":  {[]string{"alice"}, "far/alice", refused},
		"OwnersAreOfOneTenant": {[]string{"AUTHORIZED_ADMINS"}, "far/owner", refused},
		"OtherTenant":          {[]string{"*"}, "near/anyone", refused},
		"OtherTenantReads":     {[]string{"AUTHORIZED_READS"}, "near/reader", refused},
		"UnknownTenant":        {[]string{"*"}, "none/anyone", refused},
		"Service":              {[]string{"*"}, "dev/service", refused},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			l := newLogin(t, newWorld(), false)
			got := l.Decide(t.Context(), program(entryOf("web", allow(tc.list...)), "X-Tapis-Token", tc.token))
			if outcome(got) != tc.want {
				t.Errorf("%s for %v: %s %q, want %s", tc.token, tc.list, outcome(got), got.Text, tc.want)
			}
		})
	}
}

func TestWhoComes(t *testing.T) {
	t.Parallel()

	w := newWorld()
	l := newLogin(t, w, false)
	entry := entryOf("web", allow("alice"))
	session := func(user, host string, until time.Duration) string {
		return login.CookieSession + "=" + l.SealSession(login.Visitor{TenantID: "dev", SiteID: "site", Username: user}, host, w.now.Add(until))
	}
	good := session("alice", entry.Host, time.Hour)
	navigation := []string{"Accept", "text/html", "Sec-Fetch-Mode", "navigate"}
	tests := map[string]struct {
		header []string
		want   string
		text   string // part of the message
	}{
		"Nothing":               {nil, toLogin, ""},
		"HeaderToken":           {[]string{"X-Tapis-Token", "dev/alice"}, allowed, ""},
		"CookieToken":           {[]string{"Cookie", "a=b; X-Tapis-Token=dev/alice"}, allowed, ""},
		"Session":               {[]string{"Cookie", "a=b; " + good + "; c=d"}, allowed, ""},
		"BadHeaderToken":        {[]string{"X-Tapis-Token", "junk"}, refused, "tapis_auth - not authenticated: Invalid Tapis token."},
		"EmptyHeaderToken":      {[]string{"X-Tapis-Token", ""}, refused, "tapis_auth - not authenticated"},
		"TwoTokens":             {[]string{"X-Tapis-Token", "dev/alice", "X-Tapis-Token", "dev/alice"}, refused, "More than one"},
		"BadCookieToken":        {[]string{"Cookie", "X-Tapis-Token=junk"}, refused, "tapis_auth - not authenticated"},
		"StaleTokenInBrowser":   {append(navigation, "Cookie", "X-Tapis-Token=junk"), toLogin, ""},
		"StaleHeaderInBrowser":  {append(navigation, "X-Tapis-Token", "junk"), toLogin, ""},
		"SessionBesideStale":    {[]string{"Cookie", "X-Tapis-Token=junk; " + good}, allowed, ""},
		"HeaderBeforeSession":   {[]string{"X-Tapis-Token", "dev/bob", "Cookie", good}, refused, "dev is authenticated but not in this pod's tapis_auth_allowed_users"},
		"NotOnTheList":          {append(navigation, "Cookie", session("bob", entry.Host, time.Hour)), refused, "bob of tenant dev is authenticated but not in"},
		"ExpiredSession":        {append(navigation, "Cookie", session("alice", entry.Host, 0)), toLogin, ""},
		"SessionOfAnotherHost":  {append(navigation, "Cookie", session("alice", "db.pods.example.org", time.Hour)), toLogin, ""},
		"DamagedSession":        {append(navigation, "Cookie", good[:len(good)-3]+"AAA"), toLogin, ""},
		"SessionTwice":          {append(navigation, "Cookie", good+"; "+good), toLogin, ""},
		"SessionInOtherCase":    {append(navigation, "Cookie", strings.ToLower(good)), toLogin, ""},
		"ForgedIdentityHeaders": {[]string{"X-Tapis-Username", "alice", "X-Forwarded-User", "alice"}, toLogin, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got := l.Decide(t.Context(), program(entry, tc.header...))
			if outcome(got) != tc.want || !strings.Contains(got.Text, tc.text) {
				t.Errorf("%s %q, want %s with %q", outcome(got), got.Text, tc.want, tc.text)
			}
			if outcome(got) != toLogin && (got.Location != "" || len(got.Cookies) > 0) {
				t.Errorf("leads on to %s with %v", got.Location, got.Cookies)
			}
		})
	}
}

func TestConfiguredHeaders(t *testing.T) {
	t.Parallel()

	entry := entryOf("web", func(n *pods.Networking) {
		n.TapisAuthResponseHeaders = map[string]string{
			"x-user": "<<tapisusername>>@host", "X-Where": "a.<<tapistenantid>>.<<tapissiteid>>", "X-Fixed": "yes <<other>> << <<tapisusername",
			"Connection": "X-User", "cookie": "a", "X-Forwarded-For": "1", "X_Tapis_Token": "x", "Transfer-Encoding": "chunked",
		}
	})
	got := newLogin(t, newWorld(), false).Decide(t.Context(), program(entry, "X-Tapis-Token", "dev/alice"))
	want := http.Header{"X-User": {"alice@host"}, "X-Where": {"a.dev.site"}, "X-Fixed": {"yes <<other>> << <<tapisusername"}}
	if diff := cmp.Diff(want, got.Headers); diff != "" {
		t.Error(diff)
	}

	sent := http.Header{
		"X-User": {"root", "admin"}, "X_user": {"root"}, "x-USER": {"root"}, "X.User": {"root"}, "X-Where": {"root"},
		"X-User2": {"kept"}, "Cookie": {"kept"}, "Connection": {"kept"},
	}
	login.RemoveHeaders(sent, entry.Networking)
	if diff := cmp.Diff(http.Header{"X-User2": {"kept"}, "Cookie": {"kept"}, "Connection": {"kept"}}, sent); diff != "" {
		t.Error(diff)
	}
}

// TestRevokedPermission: what is taken away counts for seconds alone, whether
// or not the database can be asked.
func TestRevokedPermission(t *testing.T) {
	t.Parallel()

	w := newWorld()
	l := newLogin(t, w, false)
	visit := program(entryOf("web", allow("AUTHORIZED_READS")), "X-Tapis-Token", "dev/reader")
	decide := func(want string) {
		t.Helper()
		if got := outcome(l.Decide(t.Context(), visit)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	decide(allowed)
	decide(allowed)
	if w.reads != 1 {
		t.Errorf("the store was asked %d times", w.reads)
	}
	w.set(func() { w.broken = true })
	w.pass(6 * time.Second)
	decide(allowed)
	w.pass(9 * time.Second)
	decide(undecided)
	w.set(func() { w.broken = false })
	decide(allowed)
	w.set(func() { w.permissions = w.permissions[:1] })
	w.pass(5 * time.Second)
	decide(refused)
	w.set(func() { w.permissions, w.missing = nil, true })
	w.pass(5 * time.Second)
	decide(refused)
}

// TestNoPermissionsNeeded: where everybody of the tenant may come, nothing is
// read.
func TestNoPermissionsNeeded(t *testing.T) {
	t.Parallel()

	w := newWorld()
	w.broken = true
	got := newLogin(t, w, false).Decide(t.Context(), program(entryOf("web"), "X-Tapis-Token", "dev/alice"))
	if !got.Allowed || w.reads != 0 {
		t.Errorf("%s after %d reads", outcome(got), w.reads)
	}
}
