package issuer_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/pods-service/pods/shared/auth"
)

const wholeServiceRequest = `{"token_username": "files", "token_tenant_id": "dev", "account_type": "service",
	"access_token_ttl": 60, "target_site_id": "dev"}`

func serviceCall(key, body string) call {
	return call{method: http.MethodPost, path: "/v3/tokens", contentType: asJSON, client: "files", key: key, body: body}
}

func TestServiceToken(t *testing.T) {
	t.Parallel()

	s := newServer(t)
	got := s.tokens(t, serviceCall("files", wholeServiceRequest))
	claims, err := s.authenticator(t).Verify(t.Context(), got.Access.Token)
	if err != nil {
		t.Fatal(err)
	}
	if claims.Username != "files" || claims.AccountType != auth.AccountService || claims.TargetSite != "dev" {
		t.Errorf("claims %+v", claims)
	}
	if got.Access.ExpiresIn != 60 || got.Refresh != nil {
		t.Errorf("expires in %d s, refresh token %v; want 60 and none", got.Access.ExpiresIn, got.Refresh)
	}
	day := s.tokens(t, serviceCall("files", strings.Replace(wholeServiceRequest, "60", "0", 1)))
	if day.Access.ExpiresIn != 86400 {
		t.Errorf("expires in %d s, want a day unless asked for", day.Access.ExpiresIn)
	}
}

func TestServiceTokenRefused(t *testing.T) {
	t.Parallel()

	changed := func(old, new string) call {
		return serviceCall("files", strings.Replace(wholeServiceRequest, old, new, 1))
	}
	nobody := serviceCall("files", wholeServiceRequest)
	nobody.client = ""
	user := serviceCall("alice", wholeServiceRequest)
	user.client = "alice"
	tests := map[string]struct {
		call   call
		status int
		text   string
	}{
		"NoCredentials": {nobody, 401, "Invalid service credentials; no token was created."},
		"WrongKey":      {serviceCall("file", wholeServiceRequest), 401, "Invalid service credentials; no token was created."},
		"NoKey":         {serviceCall("", wholeServiceRequest), 401, "Invalid service credentials; no token was created."},
		"User":          {user, 401, "Invalid service credentials; no token was created."},
		"ForAnother":    {changed(`"files"`, `"jobs"`), 403, "The service files can ask for itself only."},
		"ForAUser":      {changed(`"service"`, `"user"`), 400, "account_type must be service"},
		"OtherTenant":   {changed(`"dev"`, `"dev2"`), 400, "token_tenant_id must be dev"},
		"NoSite":        {changed(`"target_site_id": "dev"`, `"x": 1`), 400, "target_site_id is required"},
		"TooLong":       {changed("60", "2592001"), 400, "at most 30 days"},
		"Negative":      {changed("60", "-1"), 400, "at most 30 days"},
		"NotJSON":       {serviceCall("files", "files"), 400, "expected a JSON object"},
	}
	s := newServer(t)
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			answer := s.do(t, tc.call)
			if answer.code != tc.status || !strings.Contains(answer.text(), tc.text) {
				t.Errorf("%d %q, want %d with %q", answer.code, answer.text(), tc.status, tc.text)
			}
		})
	}
}
