package issuer

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/pods-service/pods/shared/auth"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
)

// How long tokens last.
const (
	accessLife  = 4 * time.Hour
	refreshLife = 30 * 24 * time.Hour
)

// The values of the tapis/token_type claim.
const (
	typeAccess  = "access"
	typeRefresh = "refresh"
)

// grant is what a request for tokens has proved.
type grant struct {
	kind     string // as in grant_type
	username string
	clientID string // empty when no client authenticated
	// targetSite is where a service may use the token, empty for a user's.
	targetSite string
}

// tokensView is the result of POST /v3/oauth2/tokens.
type tokensView struct {
	Access  accessView   `json:"access_token"`
	Refresh *refreshView `json:"refresh_token,omitempty"` // for clients only
}

type accessView struct {
	Token string `json:"access_token"`
	validity
}

type refreshView struct {
	Token string `json:"refresh_token"`
	validity
}

// validity says until when a token can be used. Browsers read a time without an
// offset as local, so ExpiresAt always has one.
type validity struct {
	ExpiresAt string `json:"expires_at"`
	ExpiresIn int64  `json:"expires_in"` // seconds
	ID        string `json:"jti"`
}

// createToken serves POST /v3/oauth2/tokens for the tenant at the request's
// host.
//
// Errors: KindInvalid for a missing parameter and an unknown grant,
// KindUnauthenticated for a wrong password, client, refresh token or code.
func (i *Issuer) createToken(ctx context.Context, req *rest.Request) (rest.Result, error) {
	parameters, err := readParameters(req)
	if err != nil {
		return rest.Result{}, err
	}
	if err := parameters.need("grant_type"); err != nil {
		return rest.Result{}, err
	}
	t := i.tenantAt(req.Host)
	client, err := i.authenticateClient(t, req)
	if err != nil {
		return rest.Result{}, err
	}
	var proved grant
	switch parameters["grant_type"] {
	case "password":
		proved, err = i.passwordGrant(t, client, req, parameters)
	case "refresh_token":
		proved, err = i.refreshGrant(ctx, t, client, parameters)
	case "authorization_code":
		proved, err = i.codeGrant(ctx, t, client, parameters)
	default:
		err = pods.InvalidFields([]pods.FieldError{field("grant_type", "must be one of password, refresh_token, authorization_code")})
	}
	if err != nil {
		return rest.Result{}, err
	}
	tokens, err := i.issue(t, proved)
	if err != nil {
		return rest.Result{}, fmt.Errorf("issue tokens of tenant %s: %w", t.ID, err)
	}
	return rest.Result{Message: "Token created successfully.", Value: tokens}, nil
}

// authenticateClient returns the ID of the client whose Basic credentials the
// request carries, or "" when it has no Authorization header.
func (i *Issuer) authenticateClient(t *tenant, req *rest.Request) (string, error) {
	if req.Header.Get("Authorization") == "" {
		return "", nil
	}
	id, key, isBasic := req.BasicAuth()
	client, err := t.clients.get(req.Context(), id)
	if err != nil && pods.KindOf(err) != pods.KindNotFound {
		return "", err
	}
	tried := attempt{tenant: t, name: id, secret: key, message: "Invalid client credentials; no token was created."}
	return client.ID, i.check(req.Request, tried, client.Key, isBasic && err == nil)
}

func (i *Issuer) passwordGrant(t *tenant, client string, req *rest.Request, p parameters) (grant, error) {
	if err := p.need("username", "password"); err != nil {
		return grant{}, err
	}
	user, err := i.checkPassword(req.Request, attempt{
		tenant: t, name: p["username"], secret: p["password"], message: "Invalid username or password; no token was created.",
	})
	if err != nil {
		return grant{}, err
	}
	return grant{kind: "password", username: user.Name, clientID: client}, nil
}

func (i *Issuer) refreshGrant(ctx context.Context, t *tenant, client string, p parameters) (grant, error) {
	if err := p.need("refresh_token"); err != nil {
		return grant{}, err
	}
	if client == "" {
		return grant{}, pods.Unauthenticated(
			"The refresh_token grant needs a client's id and key as Basic credentials; no token was created.")
	}
	username, err := i.checkRefreshToken(t, client, p["refresh_token"])
	if err != nil {
		return grant{}, &pods.Error{
			Kind: pods.KindUnauthenticated, Err: err,
			Message: "Invalid refresh token; no token was created. Log in again.",
		}
	}
	return grant{kind: "refresh_token", username: username, clientID: client}, nil
}

// codeGrant takes the code with which a browser came back to the client's
// callback.
func (i *Issuer) codeGrant(ctx context.Context, t *tenant, client string, p parameters) (grant, error) {
	if err := p.need("code", "redirect_uri"); err != nil {
		return grant{}, err
	}
	if client == "" {
		return grant{}, pods.Unauthenticated(
			"The authorization_code grant needs a client's id and key as Basic credentials; no token was created.")
	}
	l, err := i.checkCode(ctx, t, client, p)
	if pods.KindOf(err) == pods.KindUnavailable {
		return grant{}, err
	}
	if err != nil {
		return grant{}, &pods.Error{
			Kind: pods.KindUnauthenticated, Err: err,
			Message: "Invalid authorization code; no token was created. Log in again.",
		}
	}
	return grant{kind: "authorization_code", username: l.Username, clientID: client}, nil
}

// checkCode takes the code in p, which must have been given to client in the
// tenant. The error says why not and quotes nothing.
func (i *Issuer) checkCode(ctx context.Context, t *tenant, client string, p parameters) (login, error) {
	l, err := i.takeCode(ctx, p["code"])
	switch {
	case pods.KindOf(err) == pods.KindNotFound:
		return login{}, errors.New("code is not known, used already, or has expired")
	case err != nil:
		return login{}, err
	case l.TenantID != t.ID || l.ClientID != client:
		return login{}, errors.New("code was given to another client")
	case l.RedirectURI != p["redirect_uri"]:
		return login{}, errors.New("redirect_uri is not the one of the login")
	case !l.provedBy(p["code_verifier"]):
		return login{}, errors.New("code_verifier does not fit the code_challenge of the login")
	}
	return l, nil
}

// checkRefreshToken returns the user for whom the tenant gave token to client.
// The error says why and does not quote the token.
func (i *Issuer) checkRefreshToken(t *tenant, client, token string) (string, error) {
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(token, claims,
		func(*jwt.Token) (any, error) { return &t.key.PublicKey, nil },
		jwt.WithValidMethods([]string{"RS256"}), jwt.WithStrictDecoding(), jwt.WithIssuer(t.public.Issuer),
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(i.config.Now))
	if err != nil {
		return "", err
	}
	if claims["tapis/token_type"] != typeRefresh {
		return "", fmt.Errorf("token_type is not %s", typeRefresh)
	}
	if claims["tapis/client_id"] != client {
		return "", fmt.Errorf("given to another client than %s", client)
	}
	username, _ := claims["tapis/username"].(string)
	if _, found := t.user(username); !found {
		return "", fmt.Errorf("user is no longer there")
	}
	return username, nil
}

func (i *Issuer) issue(t *tenant, g grant) (tokensView, error) {
	now := i.config.Now()
	token, valid, err := t.sign(g, typeAccess, now, accessLife)
	if err != nil {
		return tokensView{}, err
	}
	tokens := tokensView{Access: accessView{Token: token, validity: valid}}
	if g.clientID == "" {
		return tokens, nil
	}
	token, valid, err = t.sign(g, typeRefresh, now, refreshLife)
	if err != nil {
		return tokensView{}, err
	}
	tokens.Refresh = &refreshView{Token: token, validity: valid}
	return tokens, nil
}

// sign returns a token of the given type that says what g has proved.
func (t *tenant) sign(g grant, tokenType string, now time.Time, life time.Duration) (string, validity, error) {
	expires := now.Add(life).UTC().Truncate(time.Second)
	id := rand.Text()
	claims := jwt.MapClaims{
		"jti": id,
		"iss": t.public.Issuer,
		"sub": g.username + "@" + t.ID,
		"iat": now.Unix(),
		"exp": expires.Unix(),

		"tapis/tenant_id":      t.ID,
		"tapis/token_type":     tokenType,
		"tapis/username":       g.username,
		"tapis/account_type":   auth.AccountUser,
		"tapis/delegation":     false,
		"tapis/delegation_sub": nil,
		"tapis/grant_type":     g.kind,
	}
	if g.clientID != "" {
		claims["tapis/client_id"] = g.clientID
	}
	if g.targetSite != "" {
		claims["tapis/account_type"], claims["tapis/target_site"] = auth.AccountService, g.targetSite
	}
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	token.Header["kid"] = t.keyID
	text, err := token.SignedString(t.key)
	if err != nil {
		return "", validity{}, fmt.Errorf("sign %s token: %w", tokenType, err)
	}
	return text, validity{
		ExpiresAt: expires.Format("2006-01-02T15:04:05+00:00"),
		ExpiresIn: int64(life / time.Second),
		ID:        id,
	}, nil
}
