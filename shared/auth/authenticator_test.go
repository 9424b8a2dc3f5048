package auth_test

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/pods"
)

const (
	noToken       = "No access token found in the request."
	unparsable    = "Could not parse the Tapis access token."
	invalid       = "Invalid Tapis token."
	unknownTenant = "Unable to process Tapis token; unexpected tenant_id."
)

func TestVerify(t *testing.T) {
	t.Parallel()

	rs256 := jwt.SigningMethodRS256
	good := sign(t, userClaims(nil), nil, rs256, nil)
	parts := strings.Split(good, ".")
	der, err := x509.MarshalPKIXPublicKey(&devKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	user := func(changes map[string]any) string { return sign(t, userClaims(changes), nil, rs256, nil) }
	raw := base64.RawURLEncoding.EncodeToString

	tests := map[string]struct {
		token string
		want  string // message; "" when the token is good
	}{
		"Good":               {good, ""},
		"GoodWithKeyID":      {sign(t, userClaims(nil), nil, rs256, map[string]any{"kid": "dev-1"}), ""},
		"GoodWithAudience":   {user(map[string]any{"aud": "someone-else"}), ""},
		"GoodWithOddAud":     {user(map[string]any{"aud": 7}), ""},
		"GoodNoTokenType":    {user(map[string]any{"tapis/token_type": "absent"}), ""},
		"GoodDelegated":      {user(map[string]any{"tapis/delegation": true, "tapis/delegation_sub": "files@dev"}), ""},
		"ExpiredInLeeway":    {user(map[string]any{"exp": start.Add(-4 * time.Second).Unix()}), ""},
		"BeforeNbfInLeeway":  {user(map[string]any{"nbf": start.Add(4 * time.Second).Unix()}), ""},
		"KeyOfTenantWithout": {sign(t, userClaims(map[string]any{"iss": "https://login.example.org", "sub": "alice@dev2", "tapis/tenant_id": "dev2"}), otherKey(), rs256, map[string]any{"kid": "any"}), ""},

		"Empty":           {"", noToken},
		"Words":           {"not a token", unparsable},
		"TwoParts":        {parts[0] + "." + parts[1], unparsable},
		"FourParts":       {good + ".x", unparsable},
		"NotBase64":       {parts[0] + ".%%%." + parts[2], unparsable},
		"NotJSON":         {parts[0] + "." + raw([]byte("{")) + "." + parts[2], unparsable},
		"ClaimsNull":      {parts[0] + "." + raw([]byte("null")) + "." + parts[2], unknownTenant},
		"ClaimOfWrongTyp": {parts[0] + "." + raw([]byte(`{"sub":7}`)) + "." + parts[2], unparsable},
		"LineBreak":       {parts[0] + "\n." + parts[1] + "." + parts[2], unparsable},
		"Padded":          {good + "=", unparsable},
		"TooLong":         {user(map[string]any{"x": strings.Repeat("x", auth.MaxTokenBytes)}), unparsable},

		"AlgNone":          {sign(t, userClaims(nil), jwt.UnsafeAllowNoneSignatureType, jwt.SigningMethodNone, nil), invalid},
		"AlgNoneUpperCase": {raw([]byte(`{"alg":"NONE"}`)) + "." + parts[1] + ".", invalid},
		"NoAlg":            {raw([]byte(`{}`)) + "." + parts[1] + "." + parts[2], invalid},
		"HeaderNull":       {raw([]byte(`null`)) + "." + parts[1] + "." + parts[2], invalid},
		"HS256WithPublic":  {sign(t, userClaims(nil), publicPEM, jwt.SigningMethodHS256, nil), invalid},
		"RS512":            {sign(t, userClaims(nil), nil, jwt.SigningMethodRS512, nil), invalid},
		"PS256":            {sign(t, userClaims(nil), nil, jwt.SigningMethodPS256, nil), invalid},
		"CriticalHeader":   {sign(t, userClaims(nil), nil, rs256, map[string]any{"crit": []string{"b64"}}), invalid},
		"OtherTenantsKey":  {sign(t, userClaims(nil), otherKey(), rs256, nil), invalid},
		"UnknownKeyID":     {sign(t, userClaims(nil), nil, rs256, map[string]any{"kid": "dev-9"}), invalid},
		"ChangedBody":      {parts[0] + "." + raw([]byte(`{"tapis/tenant_id":"dev"}`)) + "." + parts[2], invalid},
		"NoSignature":      {parts[0] + "." + parts[1] + ".", invalid},

		"Expired":         {user(map[string]any{"exp": start.Add(-6 * time.Second).Unix()}), invalid},
		"NoExpiry":        {user(map[string]any{"exp": "absent"}), invalid},
		"NotYet":          {user(map[string]any{"nbf": start.Add(6 * time.Second).Unix()}), invalid},
		"WrongIssuer":     {user(map[string]any{"iss": "https://login.example.org"}), invalid},
		"NoIssuer":        {user(map[string]any{"iss": "absent"}), invalid},
		"UnknownTenant":   {user(map[string]any{"tapis/tenant_id": "nope", "sub": "alice@nope"}), unknownTenant},
		"NoTenant":        {user(map[string]any{"tapis/tenant_id": "absent"}), unknownTenant},
		"NoUsername":      {user(map[string]any{"tapis/username": "absent"}), invalid},
		"UsernameColon":   {user(map[string]any{"tapis/username": "a:b", "sub": "a:b@dev"}), invalid},
		"UsernameSpace":   {user(map[string]any{"tapis/username": "a b", "sub": "a b@dev"}), invalid},
		"UsernameNewline": {user(map[string]any{"tapis/username": "a\nb", "sub": "a\nb@dev"}), invalid},
		"UsernameLong":    {user(map[string]any{"tapis/username": strings.Repeat("a", 257), "sub": strings.Repeat("a", 257) + "@dev"}), invalid},
		"SubOfOther":      {user(map[string]any{"sub": "bob@dev"}), invalid},
		"SubOtherTenant":  {user(map[string]any{"sub": "alice@dev2"}), invalid},
		"NoSub":           {user(map[string]any{"sub": "absent"}), invalid},
		"NoAccountType":   {user(map[string]any{"tapis/account_type": "absent"}), invalid},
		"OddAccountType":  {user(map[string]any{"tapis/account_type": "robot"}), invalid},
		"Refresh":         {user(map[string]any{"tapis/token_type": "refresh"}), invalid},
	}
	authenticator := newAuthenticator(t, auth.StaticSource(tenantList()), newClock())
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			for _, round := range []string{"first", "again"} {
				claims, err := authenticator.Verify(t.Context(), tc.token)
				checkMessage(t, err, pods.KindUnauthenticated, tc.want)
				if tc.want == "" && claims.Username != "alice" {
					t.Errorf("%s: username %q, want alice", round, claims.Username)
				}
				if err != nil && len(tc.token) > 20 && strings.Contains(err.Error(), tc.token[:20]) {
					t.Errorf("%s: the error quotes the token: %v", round, err)
				}
			}
		})
	}
}

// checkMessage compares what the user sees of err with want, and its Kind; an
// empty want means no error.
func checkMessage(t *testing.T, err error, kind pods.Kind, want string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("unexpected error: %v", err)
		}
		return
	}
	e, ok := errors.AsType[*pods.Error](err)
	if !ok {
		t.Fatalf("error %v, want %q", err, want)
	}
	if e.Message != want || e.Kind != kind {
		t.Errorf("%s %q (%v), want %s %q", e.Kind, e.Message, e.Err, kind, want)
	}
	if kind == pods.KindUnauthenticated && !strings.Contains(e.Message, "token") {
		t.Errorf("message %q lacks the word token", e.Message)
	}
}

func TestVerifyReturnsClaims(t *testing.T) {
	t.Parallel()

	authenticator := newAuthenticator(t, auth.StaticSource(tenantList()), newClock())
	got, err := authenticator.Verify(t.Context(), sign(t, serviceClaims(nil), nil, jwt.SigningMethodRS256, nil))
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	want := auth.Claims{
		ID: "1", TenantID: "dev", Username: "files", AccountType: auth.AccountService, TargetSite: "here",
		ExpiresAt: start.Add(4 * time.Hour),
	}
	got.ExpiresAt = got.ExpiresAt.UTC()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()

	user := sign(t, userClaims(nil), nil, jwt.SigningMethodRS256, nil)
	service := func(changes map[string]any) string {
		return sign(t, serviceClaims(changes), nil, jwt.SigningMethodRS256, nil)
	}
	fromDev2 := sign(t, serviceClaims(map[string]any{
		"iss": "https://login.example.org", "sub": "files@dev2", "tapis/tenant_id": "dev2",
	}), otherKey(), jwt.SigningMethodRS256, nil)
	const (
		here = "localhost:8080"
		need = "A service token needs one X-Tapis-Tenant and one X-Tapis-User header."
	)
	alice := pods.Caller{TenantID: "dev", SiteID: "here", Username: "alice"}
	carol := pods.Caller{TenantID: "dev2", SiteID: "here", Username: "carol"}
	tests := map[string]struct {
		host     string
		headers  []string
		want     pods.Caller
		kind     pods.Kind
		wantText string
	}{
		"User":              {host: here, headers: []string{"X-Tapis-Token", user}, want: alice},
		"AlternateHost":     {host: "dev.localhost:8080", headers: []string{"X-Tapis-Token", user}, want: alice},
		"HostInCapitals":    {host: "LocalHost:8080", headers: []string{"x-tapis-token", user}, want: alice},
		"UnknownHost":       {host: "127.0.0.1:33211", headers: []string{"X-Tapis-Token", user}, want: alice},
		"OtherPort":         {host: "localhost:9090", headers: []string{"X-Tapis-Token", user}, want: alice},
		"NoHeader":          {host: here, kind: pods.KindUnauthenticated, wantText: noToken},
		"EmptyHeader":       {host: here, headers: []string{"X-Tapis-Token", ""}, kind: pods.KindUnauthenticated, wantText: noToken},
		"Cookie":            {host: here, headers: []string{"Cookie", "X-Tapis-Token=" + user}, kind: pods.KindUnauthenticated, wantText: noToken},
		"Authorization":     {host: here, headers: []string{"Authorization", "Bearer " + user}, kind: pods.KindUnauthenticated, wantText: noToken},
		"TwoTokens":         {host: here, headers: []string{"X-Tapis-Token", user, "X-Tapis-Token", user}, kind: pods.KindUnauthenticated, wantText: unparsable},
		"OtherTenantsHost":  {host: "dev2.example.org", headers: []string{"X-Tapis-Token", user}, kind: pods.KindForbidden, wantText: "The tenant_id claim in the token, dev does not match the URL tenant, dev2."},
		"OtherHostWithPort": {host: "DEV2.example.org.:443", headers: []string{"X-Tapis-Token", user}, kind: pods.KindForbidden, wantText: "The tenant_id claim in the token, dev does not match the URL tenant, dev2."},
		"UserForUser":       {host: here, headers: []string{"X-Tapis-Token", user, "X-Tapis-User", "bob"}, kind: pods.KindForbidden, wantText: "cannot set OBO headers with a user token"},
		"UserForTenant":     {host: here, headers: []string{"X-Tapis-Token", user, "X-Tapis-Tenant", "dev"}, kind: pods.KindForbidden, wantText: "cannot set OBO headers with a user token"},

		"Service":          {host: here, headers: []string{"X-Tapis-Token", service(nil), "X-Tapis-Tenant", "dev2", "X-Tapis-User", "carol"}, want: carol},
		"ServiceNoTenant":  {host: here, headers: []string{"X-Tapis-Token", service(nil), "X-Tapis-User", "carol"}, kind: pods.KindUnauthenticated, wantText: need},
		"ServiceNoUser":    {host: here, headers: []string{"X-Tapis-Token", service(nil), "X-Tapis-Tenant", "dev2"}, kind: pods.KindUnauthenticated, wantText: need},
		"ServiceTwoUsers":  {host: here, headers: []string{"X-Tapis-Token", service(nil), "X-Tapis-Tenant", "dev2", "X-Tapis-User", "carol", "X-Tapis-User", "bob"}, kind: pods.KindUnauthenticated, wantText: need},
		"ServiceOddUser":   {host: here, headers: []string{"X-Tapis-Token", service(nil), "X-Tapis-Tenant", "dev2", "X-Tapis-User", "carol:ADMIN"}, kind: pods.KindUnauthenticated, wantText: need},
		"ServiceNewTenant": {host: here, headers: []string{"X-Tapis-Token", service(nil), "X-Tapis-Tenant", "nope", "X-Tapis-User", "carol"}, kind: pods.KindUnauthenticated, wantText: "Unable to process Tapis token; unexpected tenant_id in X-Tapis-Tenant."},
		"ServiceAwayUser":  {host: here, headers: []string{"X-Tapis-Token", service(nil), "X-Tapis-Tenant", "away", "X-Tapis-User", "carol"}, kind: pods.KindUnauthenticated, wantText: "Unable to process Tapis token; unexpected tenant_id in X-Tapis-Tenant."},
		"ServiceWrongSite": {host: here, headers: []string{"X-Tapis-Token", service(map[string]any{"tapis/target_site": "there"}), "X-Tapis-Tenant", "dev2", "X-Tapis-User", "carol"}, kind: pods.KindUnauthenticated, wantText: `Invalid Tapis token: a service token for the site "here" is needed, this one is for "there".`},
		"ServiceNoSite":    {host: here, headers: []string{"X-Tapis-Token", service(map[string]any{"tapis/target_site": "absent"}), "X-Tapis-Tenant", "dev2", "X-Tapis-User", "carol"}, kind: pods.KindUnauthenticated, wantText: `Invalid Tapis token: a service token for the site "here" is needed, this one is for "".`},
		"ServiceOfTenant":  {host: here, headers: []string{"X-Tapis-Token", fromDev2, "X-Tapis-Tenant", "dev", "X-Tapis-User", "alice"}, kind: pods.KindUnauthenticated, wantText: "Invalid Tapis token: tenant dev2 issues no service tokens that count here."},
	}
	authenticator := newAuthenticator(t, auth.StaticSource(tenantList()), newClock())
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got, err := authenticator.Authenticate(t.Context(), request(tc.host, tc.headers...))
			checkMessage(t, err, tc.kind, tc.wantText)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("caller (-want +got):\n%s", diff)
			}
		})
	}
}

// TestVerifyAgainAfterExpiry makes sure that a remembered token still expires.
func TestVerifyAgainAfterExpiry(t *testing.T) {
	t.Parallel()

	clock := newClock()
	authenticator := newAuthenticator(t, auth.StaticSource(tenantList()), clock)
	token := sign(t, userClaims(nil), nil, jwt.SigningMethodRS256, nil)
	_, err := authenticator.Verify(t.Context(), token)
	checkMessage(t, err, "", "")
	clock.Advance(4*time.Hour + 4*time.Second)
	_, err = authenticator.Verify(t.Context(), token)
	checkMessage(t, err, "", "")
	clock.Advance(2 * time.Second)
	_, err = authenticator.Verify(t.Context(), token)
	checkMessage(t, err, pods.KindUnauthenticated, invalid)
}

func TestCallerInContext(t *testing.T) {
	t.Parallel()

	if caller, ok := auth.CallerFrom(context.Background()); ok {
		t.Errorf("an empty context carries %v", caller)
	}
	want := pods.Caller{TenantID: "dev", SiteID: "here", Username: "alice"}
	got, ok := auth.CallerFrom(auth.WithCaller(t.Context(), want))
	if !ok || got != want {
		t.Errorf("CallerFrom = %v, %t; want %v", got, ok, want)
	}
}
