package permissions

import (
	"fmt"
	"strings"

	"github.com/pods-service/pods/shared/pods"
)

// Admins are the users who look after the site as a whole: what is nobody's own
// and belongs to no single tenant. Without admin mode it gives them nothing of
// what users own. The zero value names nobody.
type Admins map[string]bool // by "<tenant>/<user>"

// ParseAdmins reads names of the form "<tenant>/<user>".
//
// Errors: for a name of another form.
func ParseAdmins(names []string) (Admins, error) {
	admins := Admins{}
	for _, name := range names {
		tenant, user, found := strings.Cut(name, "/")
		if !found || tenant == "" || !userPattern.MatchString(user) {
			return nil, fmt.Errorf("site admin %q is not of the form <tenant>/<user>", name)
		}
		admins[name] = true
	}
	return admins, nil
}

// Check decides whether caller may do what is for site admins alone: those named
// here, and those whose token says so.
//
// Errors: KindForbidden.
func (a Admins) Check(caller pods.Caller) error {
	if !caller.SiteAdmin && !a[caller.TenantID+"/"+caller.Username] {
		return pods.Forbidden("Not authorized -- this endpoint is for site admins.")
	}
	return nil
}
