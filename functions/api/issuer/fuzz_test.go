package issuer_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzTokenRequest checks that every body gets a whole envelope, that nothing
// but a right password gives a token, and that no body makes a fault.
func FuzzTokenRequest(f *testing.F) {
	for _, body := range []string{
		login("alice").body, `{}`, `null`, `[]`, `{"grant_type":1}`, `{"grant_type":"refresh_token","refresh_token":"a.b.c"}`,
		`{"grant_type":"password","username":"alice","password":"bob"}`, "\xff", `{"grant_type":"\ud800"}`,
	} {
		f.Add(asJSON, "", body)
		f.Add(asJSON, "Basic cG9kcy1kZXY6cG9kcy1kZXY=", body)
	}
	f.Add(asForm, "", "grant_type=password&username=alice&password=alice")
	f.Add(asForm, "Basic !", "grant_type=password&grant_type=&username=%00&password=%zz")
	f.Add(asForm, "Basic cG9kcy1kZXY6cG9kcy1kZXY=", "grant_type=authorization_code&code=x&redirect_uri=https%3A%2F%2Fapp.example.org&code_verifier=y")
	f.Add(asForm, "Basic cG9kcy1kZXY6cG9kcy1kZXY=", "grant_type=authorization_code&code=&redirect_uri=")
	f.Add(asJSON, "", `{"grant_type":"authorization_code","code":"x","redirect_uri":"x"}`)
	f.Add("application/json; charset", "Bearer x", "{}")
	f.Add("", "", "")

	config := development(f, "127.0.0.1:8080")
	made := newIssuer(f, config)
	f.Fuzz(func(t *testing.T, contentType, authorization, body string) {
		r := httptest.NewRequest(http.MethodPost, "http://localhost:8080/v3/oauth2/tokens", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		made.ServeHTTP(w, r)
		answer := readEnvelope(t, w.Code, w.Header(), w.Body.Bytes())
		switch answer.code {
		case http.StatusBadRequest, http.StatusUnauthorized, http.StatusRequestEntityTooLarge:
			if string(answer.Result) != "null" {
				t.Errorf("%d with result %s", answer.code, answer.Result)
			}
		case http.StatusOK:
			var got tokens
			if err := json.Unmarshal(answer.Result, &got); err != nil || got.Access.Token == "" {
				t.Errorf("200 without a token: %s", answer.Result)
			}
			for _, user := range []string{"alice", "bob", "carol", "admin"} {
				if strings.Count(body, user) >= 2 {
					return
				}
			}
			if !strings.Contains(body, `\u`) && !strings.Contains(body, "%") {
				t.Errorf("a token without a name and its password: %q", body)
			}
		default:
			t.Errorf("%d %s for %q", answer.code, answer.text(), body)
		}
	})
}

// FuzzAuthorize checks that no query leads a browser anywhere but to the
// callback, and that every page is one that nothing can be put into.
func FuzzAuthorize(f *testing.F) {
	right := strings.SplitN(authorizeURL("client_id", "pods-dev"), "?", 2)[1]
	f.Add(right, "username=alice&password=alice")
	f.Add(right+"&state=%0d%0aSet-Cookie:x", "username=%3Cscript%3E&password=x")
	f.Add(right+"&redirect_uri=https://evil.example.org", "")
	f.Add("client_id=pods-dev&redirect_uri=//evil.example.org&response_type=token&state=%00", "username=%00")
	f.Add("client_id=<script>&redirect_uri=javascript:alert(1)", "\xff")

	config := development(f, "127.0.0.1:8080")
	config.Tenants[0].Clients[0].CallbackURL = callback
	made := newIssuer(f, config)
	f.Fuzz(func(t *testing.T, query, form string) {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r := httptest.NewRequest(method, "http://localhost:8080/v3/oauth2/authorize", strings.NewReader(form))
			r.URL.RawQuery = query
			r.Header.Set("Content-Type", asForm)
			w := httptest.NewRecorder()
			made.ServeHTTP(w, r)
			location, body := w.Header().Get("Location"), w.Body.String()
			if w.Code == http.StatusSeeOther {
				if !strings.HasPrefix(location, callback+"&") || strings.ContainsAny(location, "\r\n") {
					t.Errorf("redirect to %q", location)
				}
				continue
			}
			if location != "" || w.Header().Get("Content-Security-Policy") == "" || strings.Contains(body, "<script") {
				t.Errorf("%d to %q, or a page with a script:\n%s", w.Code, location, body)
			}
			if w.Code >= http.StatusInternalServerError {
				t.Errorf("%d for %q", w.Code, query)
			}
		}
	})
}
