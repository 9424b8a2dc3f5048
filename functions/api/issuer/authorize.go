package issuer

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
)

// authorizePath is where browsers log in for an application (RFC 6749 section
// 4.1). It is answered with pages, not in the envelope.
const authorizePath = "/v3/oauth2/authorize"

// challengePattern is what the S256 method gives (RFC 7636 section 4.2).
var challengePattern = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// authorization is a request to log in that came from an application as it is
// registered: its answer may go to the callback.
type authorization struct {
	tenant    *tenant
	client    registered
	callback  *url.URL
	state     string
	challenge string
}

// authorize serves authorizePath: GET with the login page, POST with what its
// form asks for. The parameters of the application are in the query of both.
func (i *Issuer) authorize(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	r.Body = http.MaxBytesReader(w, r.Body, maxTokenRequestBytes)
	status, err := i.answerAuthorize(w, r.WithContext(ctx))
	attrs := []slog.Attr{
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", status),
		slog.Duration("elapsed", time.Since(start)), slog.String("request_id", rest.RequestID(r.Context())),
	}
	if err != nil {
		attrs = append(attrs, slog.Any("error", err))
	}
	i.config.Logger.LogAttrs(ctx, slog.LevelInfo, "request", attrs...)
}

// answerAuthorize returns the status of its answer, and why it was none of
// success.
func (i *Issuer) answerAuthorize(w http.ResponseWriter, r *http.Request) (int, error) {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		return writeRefusal(w, http.StatusMethodNotAllowed, pods.Invalid("A login takes GET and POST only."))
	}
	// Another site could otherwise log a browser in as somebody of its choice.
	if i.crossOrigin.Check(r) != nil {
		return writeRefusal(w, http.StatusForbidden, pods.Forbidden(
			"This login was sent by another site. Go back to the application and log in on the page it leads to."))
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return writeRefusal(w, http.StatusBadRequest, pods.Invalid("The address of this page is not well-formed."))
	}
	asked, err := i.identify(r.Context(), r.Host, query)
	if err != nil {
		return writeRefusal(w, rest.HTTPStatus(err), err)
	}
	if refusal := asked.read(query); refusal != nil {
		return asked.redirect(w, refusal), nil
	}
	if r.Method != http.MethodPost {
		return asked.writeLogin(w, http.StatusOK, "", nil), nil
	}
	return i.logIn(w, r, asked)
}

// identify finds out which application asks, and that it is the one that has
// registered the callback. Where this fails nothing may be sent there (RFC 6749
// section 4.1.2.1).
//
// Errors: KindInvalid, KindUnavailable.
func (i *Issuer) identify(ctx context.Context, host string, query url.Values) (*authorization, error) {
	t := i.tenantAt(host)
	if len(query["client_id"]) != 1 || len(query["redirect_uri"]) != 1 {
		return nil, pods.Invalid("The application that led here has to say once what it is (client_id) and where to return to (redirect_uri).")
	}
	client, err := t.clients.get(ctx, query.Get("client_id"))
	if pods.KindOf(err) == pods.KindNotFound {
		return nil, pods.Invalid("The application that led here is not known in the tenant %s. "+
			"It may have been registered before this service was started again: go back to it and begin anew.", t.ID)
	}
	if err != nil {
		return nil, err
	}
	callback, err := url.Parse(client.CallbackURL)
	if err != nil || client.CallbackURL == "" || query.Get("redirect_uri") != client.CallbackURL {
		return nil, pods.Invalid("The application %s wants to return to another address (redirect_uri) than the one it is registered with.", client.title())
	}
	return &authorization{tenant: t, client: client, callback: callback}, nil
}

// read takes the other parameters. It returns what to tell the application of one
// that is wrong (RFC 6749 section 4.1.2.1), or nil.
func (a *authorization) read(query url.Values) url.Values {
	refusal := func(code, description string) url.Values {
		return url.Values{"error": {code}, "error_description": {description}}
	}
	if len(query["state"]) > 1 {
		return refusal("invalid_request", "state must be there once")
	}
	a.state = query.Get("state")
	for _, name := range []string{"response_type", "code_challenge", "code_challenge_method"} {
		if len(query[name]) > 1 {
			return refusal("invalid_request", name+" must be there once")
		}
	}
	a.challenge = query.Get("code_challenge")
	method := query.Get("code_challenge_method")
	switch responseType := query.Get("response_type"); {
	case responseType == "":
		return refusal("invalid_request", "response_type is required")
	case responseType != "code":
		return refusal("unsupported_response_type", "response_type must be code")
	case a.challenge == "" && method == "":
		return nil
	case method != "S256":
		return refusal("invalid_request", "code_challenge_method must be S256")
	case !challengePattern.MatchString(a.challenge):
		return refusal("invalid_request", "code_challenge must be the base64url of a SHA-256 digest, 43 characters")
	}
	return nil
}

// logIn checks the form and leads the browser back to the application.
func (i *Issuer) logIn(w http.ResponseWriter, r *http.Request, asked *authorization) (int, error) {
	form, err := readLogin(&rest.Request{Request: r})
	if err != nil {
		return asked.writeLogin(w, rest.HTTPStatus(err), "", err), err
	}
	username := form["username"]
	if form.need("username", "password") != nil {
		err := pods.Invalid("Enter your user name and your password.")
		return asked.writeLogin(w, http.StatusBadRequest, username, err), err
	}
	user, err := i.checkPassword(r, attempt{
		tenant: asked.tenant, name: username, secret: form["password"], message: "The user name or the password is wrong. Try again.",
	})
	if err != nil {
		return asked.writeLogin(w, rest.HTTPStatus(err), username, err), err
	}
	code, err := i.giveCode(r.Context(), login{
		TenantID: asked.tenant.ID, ClientID: asked.client.ID, RedirectURI: asked.client.CallbackURL,
		Challenge: asked.challenge, Username: user.Name,
	})
	if err != nil {
		return asked.writeLogin(w, rest.HTTPStatus(err), username, err), err
	}
	return asked.redirect(w, url.Values{"code": {code}}), nil
}

// redirect leads the browser to the callback with the given parameters and the
// state.
func (a *authorization) redirect(w http.ResponseWriter, answer url.Values) int {
	if a.state != "" {
		answer.Set("state", a.state)
	}
	target := *a.callback
	if target.RawQuery != "" {
		target.RawQuery += "&"
	}
	target.RawQuery += answer.Encode()
	w.Header().Set("Referrer-Policy", "no-referrer") // the address here has the state in it
	w.Header().Set("Location", target.String())
	w.WriteHeader(http.StatusSeeOther)
	return http.StatusSeeOther
}
