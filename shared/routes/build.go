package routes

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/pods-service/pods/shared/pods"
)

// entry is what the table holds of one pod.
type entry struct {
	claims   []*claim
	problems []Problem
}

func (e *entry) equal(other *entry) bool {
	return slices.EqualFunc(e.claims, other.claims, (*claim).equal) && slices.Equal(e.problems, other.problems)
}

// newEntry makes the routes of pod, in the order of their keys. An entry that
// cannot be routed becomes a problem and leaves the others alone.
func newEntry(pod pods.Pod) *entry {
	e := &entry{}
	for _, key := range slices.Sorted(maps.Keys(pod.Networking)) {
		networking := pod.Networking[key]
		if networking.Protocol == pods.ProtocolLocalOnly {
			continue
		}
		route, err := newRoute(pod, key, networking)
		if err != nil {
			e.problems = append(e.problems, Problem{TenantID: pod.TenantID, PodID: pod.ID, Key: key, Reason: err.Error()})
		}
		if route != nil {
			e.claims = append(e.claims, newClaim(route, pod.CreationTS))
		}
	}
	return e
}

// newRoute may return a route and an error: a pod without a usable address
// still has a status page.
func newRoute(pod pods.Pod, key string, networking pods.Networking) (*Route, error) {
	state, known := states[pod.Status]
	if !known {
		return nil, fmt.Errorf("unknown status %q", pod.Status)
	}
	switch networking.Protocol {
	case pods.ProtocolHTTP, pods.ProtocolTCP, pods.ProtocolPostgres:
	default:
		return nil, fmt.Errorf("unknown protocol %q", networking.Protocol)
	}
	host, err := CanonicalHost(networking.URL)
	if err != nil || !strings.EqualFold(host, networking.URL) {
		return nil, fmt.Errorf("url %q is not a host name", networking.URL)
	}
	if networking.Port < 1 || networking.Port > 65535 {
		return nil, fmt.Errorf("port %d is not between 1 and 65535", networking.Port)
	}
	allowed, err := ParseAllowList(networking.IPAllowList)
	if err != nil {
		return nil, err
	}
	target := ""
	if state == StateServing {
		if target, err = targetOf(pod.Address, networking.Port); err != nil {
			state = StateStarting
		}
	}
	return &Route{
		Host: host, TenantID: pod.TenantID, PodID: pod.ID, Key: key, K8sName: pod.K8sName, Protocol: networking.Protocol,
		Target: target, Status: pod.Status, State: state, Networking: networking.Clone(),
		AllowList: allowed,
	}, err
}

func targetOf(address string, port int) (string, error) {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Zone() != "" || ip.IsUnspecified() || ip.IsMulticast() {
		return "", fmt.Errorf("address %q is not the IP address of a pod", address)
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(port)).String(), nil //nolint:gosec // the caller has checked the range
}
