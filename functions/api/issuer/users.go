package issuer

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"time"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/rest"
)

// maxFailures bounds how many failed log-ins wait for their answer at once.
const maxFailures = 16

// userView is what GET /v3/oauth2/userinfo tells.
type userView struct {
	Username string `json:"username"`
	Email    string `json:"email"`
	Name     string `json:"name"`
}

// profileView is a user as others of the tenant see them.
type profileView struct {
	Username   string  `json:"username"`
	Email      string  `json:"email"`
	GivenName  string  `json:"given_name"`
	LastName   string  `json:"last_name"`
	DN         string  `json:"dn"`
	CreateTime *string `json:"create_time"` // never known here
}

// user returns the user with the given name, or false.
func (t *tenant) user(name string) (User, bool) {
	for _, user := range t.Users {
		if user.Name == name {
			return user, true
		}
	}
	return User{}, false
}

// attempt is a try to prove to be somebody.
type attempt struct {
	tenant *tenant
	name   string // of a user, client or service
	secret string
	// message is what who fails is told.
	message string
}

// checkPassword returns the user whose name and password the attempt has.
//
// Errors: those of check.
func (i *Issuer) checkPassword(r *http.Request, a attempt) (User, error) {
	user, found := a.tenant.user(a.name)
	return user, i.check(r, a, user.Password, found)
}

// check compares the secret of an attempt with the one that it should be, where
// whom it is about was found.
//
// Errors: those of refuse; KindExhausted while too many attempts for the name or
// from the address of r have failed, for good ones too.
func (i *Issuer) check(r *http.Request, a attempt, want string, found bool) error {
	isGood := sameSecret(a.secret, want) && found
	if i.config.Attempts != nil {
		if wait := i.config.Attempts.AllowLogin(i.config.Proxies.Client(r), a.tenant.ID, a.name, isGood); wait > 0 {
			return pods.ExhaustedFor(wait, "Too many log-ins have failed. Try again in %s s.", rest.RetryAfter(wait))
		}
	}
	if !isGood {
		return i.refuse(r.Context(), a.message)
	}
	return nil
}

// sameSecret compares in a time that tells nothing of want, not even its length.
func sameSecret(got, want string) bool {
	a, b := sha256.Sum256([]byte(got)), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// refuse returns the error of a failed log-in after FailureDelay, which slows
// down guessing. When many wait already it returns at once, with KindExhausted.
func (i *Issuer) refuse(ctx context.Context, message string) error {
	select {
	case i.failures <- struct{}{}:
		defer func() { <-i.failures }()
	default:
		return pods.Exhausted("Too many failed log-ins at once. Try again in a moment.")
	}
	timer := time.NewTimer(i.config.FailureDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return pods.Unauthenticated("%s", message)
}

// getUserInfo serves GET /v3/oauth2/userinfo: who the token belongs to.
func (i *Issuer) getUserInfo(_ context.Context, req *rest.Request) (rest.Result, error) {
	user, err := i.profile(req.Caller.TenantID, req.Caller.Username)
	if err != nil {
		return rest.Result{}, err
	}
	view := userView{Username: user.Name, Email: user.Email, Name: user.GivenName + " " + user.LastName}
	return rest.Result{Message: "User info retrieved successfully.", Value: view}, nil
}

// getProfile serves GET /v3/oauth2/profiles/{username} to users of the tenant.
func (i *Issuer) getProfile(_ context.Context, req *rest.Request) (rest.Result, error) {
	user, err := i.profile(req.Caller.TenantID, req.PathValue("username"))
	if err != nil {
		return rest.Result{}, err
	}
	view := profileView{
		Username: user.Name, Email: user.Email, GivenName: user.GivenName, LastName: user.LastName,
		DN: "cn=" + user.Name + ",ou=people,dc=" + req.Caller.TenantID + ",dc=localhost",
	}
	return rest.Result{Message: "Profile retrieved successfully.", Value: view}, nil
}

func (i *Issuer) profile(tenantID, username string) (User, error) {
	if t := i.tenant(tenantID); t != nil {
		if user, found := t.user(username); found {
			return user, nil
		}
	}
	return User{}, pods.NotFound("Profile with identifier username: '%s' not found", username)
}
