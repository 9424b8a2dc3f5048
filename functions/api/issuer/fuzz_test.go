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
