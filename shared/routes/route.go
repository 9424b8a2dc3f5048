// Package routes is the one table that says which host name leads to which
// port of which pod. It is plain data, built from pods merged with their
// templates; a proxy reads it, and so does whatever renders it for another
// proxy.
package routes

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/pods-service/pods/shared/pods"
)

// State is what a visitor may learn of a pod's status.
type State string

// The states of a route.
const (
	StateStarting State = "starting" // not serving yet, or its address is not known
	StateServing  State = "serving"  // requests can be sent to Target
	StateStopping State = "stopping"
	StateStopped  State = "stopped"
	StateError    State = "error"
	StateComplete State = "complete" // its container ended well
)

// States lists every state in the order of a pod's life.
var States = []State{StateStarting, StateServing, StateComplete, StateError, StateStopping, StateStopped}

var states = map[pods.Status]State{
	pods.StatusRequested:    StateStarting,
	pods.StatusSpawnerSetup: StateStarting,
	pods.StatusCreating:     StateStarting,
	pods.StatusAvailable:    StateServing,
	pods.StatusComplete:     StateComplete,
	pods.StatusError:        StateError,
	pods.StatusDeleting:     StateStopping,
	pods.StatusStopped:      StateStopped,
}

// Route leads from one host name to one port of one pod. A Route in a Table
// never changes: readers share it and must not write to it.
type Route struct {
	Host     string // as CanonicalHost returns it
	TenantID string
	PodID    string
	Key      string // of the networking entry
	K8sName  string // of the pod's Service in the cluster
	Protocol string // pods.ProtocolHTTP, ProtocolTCP or ProtocolPostgres
	// Target is the pod's own "ip:port". It is set exactly when State is
	// StateServing.
	Target string
	Status pods.Status
	State  State
	// Networking is the entry of the merged pod that the route was made of.
	Networking pods.Networking
	// AllowList is the entry's ip_allow_list.
	AllowList AllowList `json:"-"`
}

// Problem says why one networking entry has no route, or none to a target. The
// other entries of the pod and all other pods are not affected.
type Problem struct {
	TenantID string
	PodID    string
	Key      string
	Reason   string // for operators; quotes the bad value
}

// String describes the problem on one line.
func (p Problem) String() string {
	return fmt.Sprintf("pod %s/%s, networking %q: %s", p.TenantID, p.PodID, p.Key, p.Reason)
}

type podKey struct{ tenantID, podID string }

type digest [sha256.Size]byte

// claim is a route with what decides whether it gets its host.
type claim struct {
	route   *Route
	created time.Time
	digest  digest // of everything in route
}

func newClaim(route *Route, created time.Time) *claim {
	content, err := json.Marshal(route)
	if err != nil {
		panic(fmt.Sprintf("encode route %s: %v", route.Host, err)) // strings, numbers and maps of them always encode
	}
	return &claim{route: route, created: created, digest: sha256.Sum256(content)}
}

// before reports whether c goes before other when both want one host: the pod
// that was created first keeps it, so that nobody can take a name away.
func (c *claim) before(other *claim) bool {
	if order := c.created.Compare(other.created); order != 0 {
		return order < 0
	}
	a, b := c.route, other.route
	if a.TenantID != b.TenantID {
		return a.TenantID < b.TenantID
	}
	if a.PodID != b.PodID {
		return a.PodID < b.PodID
	}
	return a.Key < b.Key
}

func (c *claim) equal(other *claim) bool {
	return c.digest == other.digest && c.created.Equal(other.created)
}
