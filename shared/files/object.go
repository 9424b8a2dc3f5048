package files

import (
	"errors"
	"io/fs"
	"regexp"

	"github.com/pods-service/pods/shared/pods"
)

// Kind says what an object is. It is also the name of the folder in which a
// tenant's objects of that kind lie.
type Kind string

// The kinds of objects.
const (
	Volumes   Kind = "volumes"
	Snapshots Kind = "snapshots"
)

// noun is the kind as messages have it.
func (k Kind) noun() string {
	if k == Snapshots {
		return "snapshot"
	}
	return "volume"
}

// Object is one volume or snapshot.
type Object struct {
	Tenant string
	Kind   Kind
	ID     string
}

// SubPath returns where the object lies below the base folder, with slashes:
// "<tenant>/volumes/<id>". It is what a pod mounts of the share.
func (o Object) SubPath() string { return o.Tenant + "/" + string(o.Kind) + "/" + o.ID }

// String returns the object as logs and errors name it.
func (o Object) String() string { return o.Kind.noun() + " " + o.ID }

// plainName is what tenants and ids consist of. It leaves out the dot, so that
// a name is never hidden and can be told apart in the names of quarantine.
var plainName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,127}$`)

// Validate checks that the object has a known kind, and that tenant and id are
// plain names: lower-case letters, digits, '-' and '_', at most 128.
//
// Errors: KindInvalid.
func (o Object) Validate() error {
	switch {
	case o.Kind != Volumes && o.Kind != Snapshots:
		return pods.Invalid("%q is neither volumes nor snapshots.", o.Kind)
	case !plainName.MatchString(o.Tenant):
		return pods.Invalid("%q cannot be the name of a tenant's folder.", o.Tenant)
	case !plainName.MatchString(o.ID):
		return pods.Invalid("%q cannot be the id of a %s.", o.ID, o.Kind.noun())
	}
	return nil
}

// kindFolder opens the folder of all the tenant's objects of o's kind.
//
// Errors: fs.ErrNotExist when no object of the kind has been made yet.
func (s *Store) kindFolder(o Object) (folder, error) {
	if err := o.Validate(); err != nil {
		return folder{}, err
	}
	tenant, err := s.base.open(o.Tenant)
	if err != nil {
		return folder{}, err
	}
	defer tenant.close()
	return tenant.open(string(o.Kind))
}

// makeKindFolder is kindFolder and makes what is missing.
func (s *Store) makeKindFolder(o Object) (folder, error) {
	if err := o.Validate(); err != nil {
		return folder{}, err
	}
	return s.makeOwn(o.Tenant, string(o.Kind))
}

// makeOwn opens <base>/<tenant>/<name> and makes what is missing.
func (s *Store) makeOwn(tenant, name string) (folder, error) {
	above, err := s.base.ensure(tenant, ownMode)
	if err != nil {
		return folder{}, err
	}
	defer above.close()
	return above.ensure(name, ownMode)
}

// object opens the folder of o.
//
// Errors: KindInvalid, KindNotFound; KindConflict when something else than a
// folder lies there.
func (s *Store) object(o Object) (folder, error) {
	parent, err := s.kindFolder(o)
	if err != nil {
		return folder{}, objectError(o, err)
	}
	defer parent.close()
	root, err := parent.open(o.ID)
	return root, objectError(o, err)
}

// objectError says what err, met on the way to the folder of o, means to a
// user.
func objectError(o Object, err error) error {
	switch {
	case err == nil || pods.KindOf(err) != pods.KindInternal:
		return err
	case errors.Is(err, fs.ErrNotExist):
		return pods.NotFound("The files of %s are not there.", o)
	case isNoFolder(err):
		return pods.Conflict("Where the files of %s should be lies something that is no folder. An operator has to look at it.", o)
	}
	return systemError("open the files of "+o.String(), err)
}
