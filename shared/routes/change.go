package routes

import (
	"cmp"
	"slices"
)

// replace returns a copy of t in which the pod has fresh instead of what it
// had.
func (t *Table) replace(key podKey, fresh *entry) *Table {
	old := t.pods.get(key)
	if old == nil {
		old = &entry{}
	}
	if old.equal(fresh) {
		return t
	}
	next := *t
	next.put(key, fresh, copyShard)
	return &next
}

// put changes t in place, so t must not be in use yet. own says whether the
// shards it writes to are t's alone.
func (t *Table) put(key podKey, fresh *entry, own ownership) {
	if old := t.pods.get(key); old != nil {
		for _, c := range old.claims {
			t.setClaims(c.route.Host, without(t.hosts.get(c.route.Host), c), own)
		}
	}
	for _, c := range fresh.claims {
		t.setClaims(c.route.Host, with(t.hosts.get(c.route.Host), c), own)
	}
	if len(fresh.claims) == 0 && len(fresh.problems) == 0 {
		t.pods.remove(key, own)
		return
	}
	t.pods.set(key, fresh, own)
}

// setClaims stores who wants host and keeps sum and count right.
func (t *Table) setClaims(host string, claims []*claim, own ownership) {
	if before := t.hosts.get(host); len(before) > 0 {
		t.toggle(before[0])
		t.count--
	}
	if len(claims) == 0 {
		t.hosts.remove(host, own)
		return
	}
	t.toggle(claims[0])
	t.count++
	t.hosts.set(host, claims, own)
}

// toggle adds c to the sum, or takes it away again.
func (t *Table) toggle(c *claim) {
	for i := range t.sum {
		t.sum[i] ^= c.digest[i]
	}
}

// with returns claims and c, best first, in a new slice.
func with(claims []*claim, c *claim) []*claim {
	at := slices.IndexFunc(claims, c.before)
	if at < 0 {
		at = len(claims)
	}
	return slices.Insert(slices.Clip(claims), at, c)
}

// without returns claims except c, in a new slice.
func without(claims []*claim, c *claim) []*claim {
	return slices.DeleteFunc(slices.Clone(claims), func(other *claim) bool { return other == c })
}

func compareProblems(a, b Problem) int {
	return cmp.Or(
		cmp.Compare(a.TenantID, b.TenantID), cmp.Compare(a.PodID, b.PodID),
		cmp.Compare(a.Key, b.Key), cmp.Compare(a.Reason, b.Reason),
	)
}
