package issuer_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/functions/api/issuer"
	"github.com/pods-service/pods/shared/pods"
)

func TestPasswordGrant(t *testing.T) {
	t.Parallel()

	s := newServer(t)
	form := url.Values{"username": {"bob"}, "password": {"bob"}, "grant_type": {"password"}}.Encode()
	tests := map[string]struct {
		call        call
		want        pods.Caller
		wantRefresh bool
	}{
		"JSON":        {call{contentType: asJSON, body: `{"username":"alice","password":"alice","grant_type":"password"}`}, pods.Caller{TenantID: "dev", SiteID: "dev", Username: "alice"}, false},
		"Charset":     {call{contentType: "Application/JSON; charset=utf-8", body: `{"username":"alice","password":"alice","grant_type":"password","more":7}`}, pods.Caller{TenantID: "dev", SiteID: "dev", Username: "alice"}, false},
		"Form":        {call{contentType: asForm, body: form}, pods.Caller{TenantID: "dev", SiteID: "dev", Username: "bob"}, false},
		"WithClient":  {call{contentType: asForm, body: form, client: "pods-dev", key: "pods-dev"}, pods.Caller{TenantID: "dev", SiteID: "dev", Username: "bob"}, true},
		"OtherTenant": {call{contentType: asForm, body: form, host: "dev2.localhost:" + s.port}, pods.Caller{TenantID: "dev2", SiteID: "dev", Username: "bob"}, false},
		"SecondBase":  {call{contentType: asForm, body: form, host: "127.0.0.1:" + s.port}, pods.Caller{TenantID: "dev2", SiteID: "dev", Username: "bob"}, false},
		"OtherPort":   {call{contentType: asForm, body: form, host: "127.0.0.1:1"}, pods.Caller{TenantID: "dev", SiteID: "dev", Username: "bob"}, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			tc.call.method, tc.call.path = http.MethodPost, "/v3/oauth2/tokens"
			if tc.call.host == "" {
				tc.call.host = "localhost:" + s.port
			}
			got := s.tokens(t, tc.call)
			r := httptest.NewRequest(http.MethodGet, "/v3/pods", nil)
			r.Host = tc.call.host
			r.Header.Set("X-Tapis-Token", got.Access.Token)
			caller, err := s.authenticator(t).Authenticate(t.Context(), r)
			if err != nil {
				t.Fatalf("the API refuses the token: %v", err)
			}
			if diff := cmp.Diff(tc.want, caller); diff != "" {
				t.Errorf("caller (-want +got):\n%s", diff)
			}
			if (got.Refresh != nil) != tc.wantRefresh {
				t.Errorf("refresh token present = %t, want %t", got.Refresh != nil, tc.wantRefresh)
			}
		})
	}
}

// TestTokenShape covers what clients read of a token without verifying it.
func TestTokenShape(t *testing.T) {
	t.Parallel()

	s := newServer(t)
	withClient := login("alice")
	withClient.client, withClient.key = "pods-dev", "pods-dev"
	withClient.host = "localhost:" + s.port
	got := s.tokens(t, withClient)

	wantAccess := valid{ExpiresAt: "2026-03-01T16:00:00+00:00", ExpiresIn: 14400, ID: got.Access.ID}
	wantRefresh := valid{ExpiresAt: "2026-03-31T12:00:00+00:00", ExpiresIn: 2592000, ID: got.Refresh.ID}
	if diff := cmp.Diff(wantAccess, got.Access.valid); diff != "" {
		t.Errorf("access token (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantRefresh, got.Refresh.valid); diff != "" {
		t.Errorf("refresh token (-want +got):\n%s", diff)
	}
	if got.Access.ID == "" || got.Access.ID == got.Refresh.ID {
		t.Errorf("IDs %q and %q, want two", got.Access.ID, got.Refresh.ID)
	}
	for token, want := range map[string]jwt.MapClaims{
		got.Access.Token:  {"exp": 1772380800.0, "jti": got.Access.ID, "tapis/token_type": "access"},
		got.Refresh.Token: {"exp": 1774958400.0, "jti": got.Refresh.ID, "tapis/token_type": "refresh"},
	} {
		maps.Copy(want, jwt.MapClaims{
			"iss": "http://localhost:" + s.port + "/v3/tokens", "sub": "alice@dev", "iat": float64(start.Unix()),
			"tapis/tenant_id": "dev", "tapis/username": "alice", "tapis/account_type": "user",
			"tapis/delegation": false, "tapis/delegation_sub": nil,
			"tapis/grant_type": "password", "tapis/client_id": "pods-dev",
		})
		claims := jwt.MapClaims{}
		parsed, _, err := jwt.NewParser().ParseUnverified(token, claims)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, claims); diff != "" {
			t.Errorf("claims (-want +got):\n%s", diff)
		}
		if parsed.Method.Alg() != "RS256" {
			t.Errorf("algorithm %s, want RS256", parsed.Method.Alg())
		}
	}
}

func TestRefreshGrant(t *testing.T) {
	t.Parallel()

	s := newServer(t)
	c := login("carol")
	c.client, c.key, c.host = "pods-dev", "pods-dev", "localhost:"+s.port
	first := s.tokens(t, c)
	s.clock.Advance(29 * 24 * time.Hour)
	c.body = fmt.Sprintf(`{"grant_type":"refresh_token","refresh_token":%q}`, first.Refresh.Token)
	second := s.tokens(t, c)

	claims, err := s.authenticator(t).Verify(t.Context(), second.Access.Token)
	if err != nil || claims.Username != "carol" || claims.TenantID != "dev" {
		t.Errorf("new access token: %+v, %v", claims, err)
	}
	if second.Refresh == nil || second.Refresh.Token == first.Refresh.Token {
		t.Fatal("no new refresh token")
	}
	s.clock.Advance(2 * 24 * time.Hour) // the first one ends, the second does not
	if answer := s.do(t, c); answer.code != http.StatusUnauthorized {
		t.Errorf("expired refresh token: %d %s", answer.code, answer.text())
	}
	c.body = url.Values{"grant_type": {"refresh_token"}, "refresh_token": {second.Refresh.Token}}.Encode()
	c.contentType = asForm
	s.tokens(t, c)
}

func TestRefreshTokenIsNoAccessToken(t *testing.T) {
	t.Parallel()

	s := newServer(t)
	c := login("carol")
	c.client, c.key = "pods-dev", "pods-dev"
	got := s.tokens(t, c)
	if _, err := s.authenticator(t).Verify(t.Context(), got.Refresh.Token); pods.KindOf(err) != pods.KindUnauthenticated {
		t.Errorf("Verify of a refresh token: %v", err)
	}
	answer := s.do(t, call{path: "/v3/oauth2/userinfo", token: got.Refresh.Token})
	if answer.code != http.StatusUnauthorized {
		t.Errorf("userinfo with a refresh token: %d", answer.code)
	}
}

func TestTokensRefused(t *testing.T) {
	t.Parallel()

	s := newServer(t)
	withClient := login("alice")
	withClient.client, withClient.key, withClient.host = "pods-dev", "pods-dev", "localhost:"+s.port
	issued := s.tokens(t, withClient)
	refresh := func(token string) string {
		return fmt.Sprintf(`{"grant_type":"refresh_token","refresh_token":%q}`, token)
	}
	const (
		badLogin   = "Invalid username or password; no token was created."
		badClient  = "Invalid client credentials; no token was created."
		badRefresh = "Invalid refresh token; no token was created. Log in again."
	)
	tests := map[string]struct {
		call call
		code int
		want string // all of the message, a list joined
	}{
		"WrongPassword":     {call{body: `{"username":"alice","password":"bob","grant_type":"password"}`}, 401, badLogin},
		"PasswordInCaps":    {call{body: `{"username":"alice","password":"Alice","grant_type":"password"}`}, 401, badLogin},
		"UnknownUser":       {call{body: `{"username":"mallory","password":"mallory","grant_type":"password"}`}, 401, badLogin},
		"UserInCaps":        {call{body: `{"username":"Alice","password":"alice","grant_type":"password"}`}, 401, badLogin},
		"NoPassword":        {call{body: `{"username":"alice","grant_type":"password"}`}, 400, "body, password: password is required"},
		"EmptyPassword":     {call{body: `{"username":"mallory","password":"","grant_type":"password"}`}, 400, "body, password: password is required"},
		"NoUserNorPassword": {call{body: `{"grant_type":"password"}`}, 400, "body, username: username is required body, password: password is required"},
		"NoGrant":           {call{body: `{}`}, 400, "body, grant_type: grant_type is required"},
		"NullGrant":         {call{body: `{"grant_type":null}`}, 400, "body, grant_type: grant_type is required"},
		"UnknownGrant":      {call{body: `{"grant_type":"magic"}`}, 400, "body, grant_type: grant_type must be one of password, refresh_token, authorization_code"},
		"NumberAsPassword":  {call{body: `{"username":"alice","password":1,"grant_type":"password"}`}, 400, "body, password: password must be a string"},
		"Array":             {call{body: `[]`}, 400, "body: expected a JSON object"},
		"Null":              {call{body: `null`}, 400, "body: expected a JSON object"},
		"NotJSON":           {call{body: `{"username":`}, 400, "body: expected a JSON object"},
		"Empty":             {call{body: ``}, 400, "body: expected a JSON object"},
		"NoType":            {call{contentType: "none", body: `{}`}, 400, "body: the request needs Content-Type: application/json or application/x-www-form-urlencoded"},
		"TextType":          {call{contentType: "text/plain", body: `{}`}, 400, "body: the request needs Content-Type: application/json or application/x-www-form-urlencoded"},
		"TwiceInForm":       {call{contentType: asForm, body: "grant_type=password&username=alice&username=bob&password=alice"}, 400, "body, username: username must be there once"},
		"BrokenForm":        {call{contentType: asForm, body: "a=%zz"}, 400, "body: the form is not well-formed"},
		"LargeBody":         {call{body: `"` + strings.Repeat("x", 16<<10) + `"`}, 413, "The request body is larger than the 16 KiB that are taken here. Send less."},

		"WrongClientKey": {call{body: login("alice").body, client: "pods-dev", key: "x"}, 401, badClient},
		"UnknownClient":  {call{body: login("alice").body, client: "nobody", key: ""}, 401, badClient},

		"RefreshNoClient":    {call{body: refresh(issued.Refresh.Token)}, 401, "The refresh_token grant needs a client's id and key as Basic credentials; no token was created."},
		"RefreshNoToken":     {call{body: `{"grant_type":"refresh_token"}`, client: "pods-dev", key: "pods-dev"}, 400, "body, refresh_token: refresh_token is required"},
		"RefreshByAccess":    {call{body: refresh(issued.Access.Token), client: "pods-dev", key: "pods-dev"}, 401, badRefresh},
		"RefreshGarbage":     {call{body: refresh("x.y.z"), client: "pods-dev", key: "pods-dev"}, 401, badRefresh},
		"RefreshOtherTenant": {call{body: refresh(issued.Refresh.Token), client: "pods-dev", key: "pods-dev", host: "dev2.localhost:" + s.port}, 401, badRefresh},
		"RefreshUnsigned":    {call{body: refresh(unsigned(t, issued.Refresh.Token)), client: "pods-dev", key: "pods-dev"}, 401, badRefresh},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			tc.call.method, tc.call.path = http.MethodPost, "/v3/oauth2/tokens"
			if tc.call.contentType == "" {
				tc.call.contentType = asJSON
			}
			if tc.call.host == "" {
				tc.call.host = "localhost:" + s.port
			}
			answer := s.do(t, tc.call)
			if answer.code != tc.code || answer.text() != tc.want {
				t.Errorf("%d %q, want %d %q", answer.code, answer.text(), tc.code, tc.want)
			}
			if string(answer.Result) != "null" {
				t.Errorf("result %s, want null", answer.Result)
			}
			if _, isList := answer.Message.([]any); isList != (tc.code == 400) {
				t.Errorf("message %v: a list only for 400", answer.Message)
			}
			if tc.code == 401 && !strings.Contains(answer.text(), "token") {
				t.Errorf("message %q lacks the word token", answer.text())
			}
		})
	}
}

// unsigned returns token with its header saying that it has no signature.
func unsigned(t *testing.T, token string) string {
	t.Helper()
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token, claims); err != nil {
		t.Fatal(err)
	}
	text, err := jwt.NewWithClaims(jwt.SigningMethodNone, claims).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestRefreshTokenOfAnotherClient(t *testing.T) {
	t.Parallel()

	config := development(t, "127.0.0.1:8080")
	config.Tenants[0].Clients = append(config.Tenants[0].Clients, issuer.Client{ID: "other", Key: "other"})
	s := &server{Issuer: newIssuer(t, config)}
	first := s.record(t, "pods-dev", login("alice").body)
	var issued tokens
	first.decode(t, &issued)
	body := fmt.Sprintf(`{"grant_type":"refresh_token","refresh_token":%q}`, issued.Refresh.Token)
	if answer := s.record(t, "other", body); answer.code != http.StatusUnauthorized {
		t.Errorf("another client's refresh token: %d %s", answer.code, answer.text())
	}
	if answer := s.record(t, "pods-dev", body); answer.code != http.StatusOK {
		t.Errorf("own refresh token: %d %s", answer.code, answer.text())
	}
}

// record posts body for tokens of dev without a network.
func (s *server) record(t *testing.T, client, body string) envelope {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost:8080/v3/oauth2/tokens", strings.NewReader(body))
	r.Header.Set("Content-Type", asJSON)
	if client != "" {
		r.SetBasicAuth(client, client)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return readEnvelope(t, w.Code, w.Header(), w.Body.Bytes())
}

// TestFailedLoginsAreSlow covers guessing: each failure waits, a few at a time,
// and good passwords do not.
func TestFailedLoginsAreSlow(t *testing.T) {
	t.Parallel()

	config := development(t, "127.0.0.1:8080")
	config.FailureDelay = time.Second
	s := &server{Issuer: newIssuer(t, config)}
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		wrong := `{"username":"alice","password":"x","grant_type":"password"}`
		var mu sync.Mutex
		var codes []int
		var guesses sync.WaitGroup
		for range 20 {
			guesses.Go(func() {
				answer := s.record(t, "", wrong)
				mu.Lock()
				defer mu.Unlock()
				codes = append(codes, answer.code)
			})
		}
		synctest.Wait()
		if answer := s.record(t, "", login("alice").body); answer.code != http.StatusOK || time.Since(begin) != 0 {
			t.Errorf("a good log-in among guesses: %d after %v", answer.code, time.Since(begin))
		}
		guesses.Wait()
		slices.Sort(codes)
		want := slices.Concat(slices.Repeat([]int{401}, 16), slices.Repeat([]int{429}, 4))
		if diff := cmp.Diff(want, codes); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
		if got := time.Since(begin); got != time.Second {
			t.Errorf("guesses were answered after %v, want 1s", got)
		}
	})
}

func newIssuer(t testing.TB, config issuer.Config) *issuer.Issuer {
	t.Helper()
	made, err := issuer.New(config)
	if err != nil {
		t.Fatalf("issuer.New: %v", err)
	}
	return made
}
