package routes

import (
	"fmt"
	"net/netip"
	"slices"
)

// AllowList says from which addresses a route may be used. The zero value lets
// everybody in. It never changes.
type AllowList struct {
	ranges []netip.Prefix // of IPv4; none allows all
}

// ParseAllowList reads the entries of a networking entry: IPv4 addresses and
// ranges in CIDR notation. No entries allow all.
//
// Errors: naming the first entry that is neither.
func ParseAllowList(entries []string) (AllowList, error) {
	if len(entries) == 0 {
		return AllowList{}, nil
	}
	ranges := make([]netip.Prefix, 0, len(entries))
	for _, text := range entries {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			var address netip.Addr
			if address, err = netip.ParseAddr(text); err == nil {
				prefix = netip.PrefixFrom(address, address.BitLen())
			}
		}
		if err != nil || !prefix.Addr().Is4() {
			return AllowList{}, fmt.Errorf("ip_allow_list: %q is no IPv4 address or CIDR range", text)
		}
		ranges = append(ranges, prefix.Masked())
	}
	return AllowList{ranges: ranges}, nil
}

// AllowsAll reports whether the list is empty.
func (l AllowList) AllowsAll() bool { return len(l.ranges) == 0 }

// Allows reports whether a visitor with that address may use the route. An IPv4
// address in the form of an IPv6 address counts as what it is. The invalid
// address, that of a visitor who has none, is in no list.
func (l AllowList) Allows(address netip.Addr) bool {
	address = address.Unmap()
	return l.AllowsAll() || slices.ContainsFunc(l.ranges, func(p netip.Prefix) bool { return p.Contains(address) })
}

// Ranges returns the entries as ranges in CIDR notation.
func (l AllowList) Ranges() []string {
	texts := make([]string, len(l.ranges))
	for i, prefix := range l.ranges {
		texts[i] = prefix.String()
	}
	return texts
}

// Equal reports whether two lists have the same entries in the same order.
func (l AllowList) Equal(other AllowList) bool { return slices.Equal(l.ranges, other.ranges) }
