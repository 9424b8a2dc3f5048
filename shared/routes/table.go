package routes

import (
	"encoding/hex"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/pods-service/pods/shared/pods"
)

// Table maps host names to routes. It never changes and is safe for concurrent
// use: With and Without return another table that shares what is the same, in
// a time that depends on the change and hardly on the size. The zero value is
// an empty table. The order of changes does not show: equal pods make equal
// tables.
type Table struct {
	// hosts holds for each host the claims on it, the one that has it first.
	hosts shards[string, []*claim]
	pods  shards[podKey, *entry]
	// sum combines the digests of all routes so that one can be added or taken
	// away: exclusive or, which no order changes. A host occurs once, so
	// nothing cancels out.
	sum   digest
	count int
}

// Build returns the table of all routes of all pods, each merged with its
// template. Of two pods with the same tenant and id the later one counts.
func Build(all []pods.Pod) *Table {
	table := &Table{}
	for _, pod := range all {
		table.put(podKey{pod.TenantID, pod.ID}, newEntry(pod), ownShard)
	}
	return table
}

// With returns a table in which pod, merged with its template, replaces what t
// has of it. It returns t itself when that changes nothing.
func (t *Table) With(pod pods.Pod) *Table {
	return t.replace(podKey{pod.TenantID, pod.ID}, newEntry(pod))
}

// Without returns a table that has no routes of the pod; t itself when it has
// none already.
func (t *Table) Without(tenantID, podID string) *Table {
	return t.replace(podKey{tenantID, podID}, &entry{})
}

// Lookup returns the route of a host, which must be in the form that
// CanonicalHost returns.
func (t *Table) Lookup(host string) (*Route, bool) {
	claims := t.hosts.get(host)
	if len(claims) == 0 {
		return nil, false
	}
	return claims[0].route, true
}

// Contains reports whether t knows the pod, if only for its problems.
func (t *Table) Contains(tenantID, podID string) bool {
	return t.pods.get(podKey{tenantID, podID}) != nil
}

// Networking returns the entries of a pod that have routes, by key. It is empty
// for a pod that is not in the table. The values must not be changed.
func (t *Table) Networking(tenantID, podID string) map[string]pods.Networking {
	networking := map[string]pods.Networking{}
	if e := t.pods.get(podKey{tenantID, podID}); e != nil {
		for _, c := range e.claims {
			networking[c.route.Key] = c.route.Networking
		}
	}
	return networking
}

// Len returns the number of hosts that have a route.
func (t *Table) Len() int { return t.count }

// Version names the content: tables with equal routes have equal versions.
func (t *Table) Version() string { return hex.EncodeToString(t.sum[:16]) }

// All yields every route in the order of the hosts.
func (t *Table) All() iter.Seq[*Route] {
	return func(yield func(*Route) bool) {
		hosts := maps.Collect(t.hosts.all())
		for _, host := range slices.Sorted(maps.Keys(hosts)) {
			if !yield(hosts[host][0].route) {
				return
			}
		}
	}
}

// Problems lists what could not be routed, sorted by tenant, pod and key.
func (t *Table) Problems() []Problem {
	var problems []Problem
	for _, e := range t.pods.all() {
		problems = append(problems, t.problemsOf(e)...)
	}
	slices.SortFunc(problems, compareProblems)
	return problems
}

// ProblemsOf lists what could not be routed of one pod, sorted by key.
func (t *Table) ProblemsOf(tenantID, podID string) []Problem {
	e := t.pods.get(podKey{tenantID, podID})
	if e == nil {
		return nil
	}
	problems := t.problemsOf(e)
	slices.SortFunc(problems, compareProblems)
	return problems
}

// problemsOf adds to the bad values of e the hosts that another pod has.
func (t *Table) problemsOf(e *entry) []Problem {
	problems := slices.Clone(e.problems)
	for _, c := range e.claims {
		if holder := t.hosts.get(c.route.Host)[0]; holder != c {
			problems = append(problems, Problem{
				TenantID: c.route.TenantID, PodID: c.route.PodID, Key: c.route.Key,
				Reason: fmt.Sprintf("host %s belongs to pod %s/%s, which is older",
					c.route.Host, holder.route.TenantID, holder.route.PodID),
			})
		}
	}
	return problems
}
