// Package network makes the cluster's addresses on this machine and takes away
// every link, route and packet filter rule that belongs to it.
package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink"
)

// EnsureBridge creates the bridge name with an address of its own and routes
// the given range to it. Addresses of services are never really on the bridge:
// the route only keeps packets to services without endpoints on this machine.
func EnsureBridge(name string, address netip.Prefix, routed netip.Prefix) error {
	attributes := netlink.NewLinkAttrs()
	attributes.Name = name
	bridge := &netlink.Bridge{LinkAttrs: attributes}
	if err := netlink.LinkAdd(bridge); err != nil && !errors.Is(err, syscall.EEXIST) {
		return fmt.Errorf("create bridge %s: %w", name, err)
	}
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find bridge %s: %w", name, err)
	}
	if err := netlink.AddrReplace(link, &netlink.Addr{IPNet: ipNet(address)}); err != nil {
		return fmt.Errorf("give %s the address %s: %w", name, address, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring %s up: %w", name, err)
	}
	route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(routed), Scope: netlink.SCOPE_LINK}
	if err := netlink.RouteReplace(route); err != nil {
		return fmt.Errorf("route %s to %s: %w", routed, name, err)
	}
	return nil
}

// RemoveBridges deletes the named bridges and every link plugged into them.
// Their addresses and routes go with them. A bridge that is not there is
// success.
func RemoveBridges(names ...string) error {
	links, err := whole(netlink.LinkList)
	if err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	var problems []error
	for _, name := range names {
		bridge, err := netlink.LinkByName(name)
		var missing netlink.LinkNotFoundError
		if errors.As(err, &missing) {
			continue
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("find %s: %w", name, err))
			continue
		}
		for _, link := range links {
			if link.Attrs().MasterIndex == bridge.Attrs().Index {
				problems = append(problems, remove(link))
			}
		}
		problems = append(problems, remove(bridge))
	}
	return errors.Join(problems...)
}

// whole asks the kernel for a list until the list did not change while it was
// sent. Killed containers take their links away at any time.
func whole[T any](ask func() ([]T, error)) ([]T, error) {
	const attempts = 20
	for range attempts - 1 {
		if list, err := ask(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return list, err
		}
	}
	return ask()
}

// remove deletes a link. It may be gone: one end of a pair goes with the other.
func remove(link netlink.Link) error {
	err := netlink.LinkDel(link)
	var missing netlink.LinkNotFoundError
	if err == nil || errors.As(err, &missing) || errors.Is(err, syscall.ENODEV) {
		return nil
	}
	return fmt.Errorf("delete link %s: %w", link.Attrs().Name, err)
}

// Clashes returns the routes on this machine that overlap the given ranges and
// go to a link other than the given ones, each as a sentence.
func Clashes(ranges []netip.Prefix, except ...string) ([]string, error) {
	routes, err := whole(func() ([]netlink.Route, error) { return netlink.RouteList(nil, netlink.FAMILY_V4) })
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	names := map[int]string{}
	links, err := whole(netlink.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	for _, link := range links {
		names[link.Attrs().Index] = link.Attrs().Name
	}
	var clashes []string
	for _, route := range routes {
		clash := overlap(route.Dst, ranges)
		if !clash.IsValid() || slices.Contains(except, names[route.LinkIndex]) {
			continue
		}
		clashes = append(clashes, fmt.Sprintf("the cluster needs %s, which this machine routes to %s (%s)",
			clash, names[route.LinkIndex], route.Dst))
	}
	return clashes, nil
}

// overlap returns the range that destination overlaps. The default route, which
// covers every range, overlaps none.
func overlap(destination *net.IPNet, ranges []netip.Prefix) netip.Prefix {
	if destination == nil {
		return netip.Prefix{}
	}
	address, ok := netip.AddrFromSlice(destination.IP)
	bits, _ := destination.Mask.Size()
	if !ok || bits == 0 {
		return netip.Prefix{}
	}
	prefix := netip.PrefixFrom(address.Unmap(), bits)
	for _, candidate := range ranges {
		if candidate.Overlaps(prefix) {
			return candidate
		}
	}
	return netip.Prefix{}
}

func ipNet(prefix netip.Prefix) *net.IPNet {
	return &net.IPNet{
		IP:   prefix.Addr().AsSlice(),
		Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen()),
	}
}

// Exists reports whether any of the named links is there.
func Exists(names ...string) bool {
	for _, name := range names {
		if _, err := netlink.LinkByName(name); err == nil {
			return true
		}
	}
	return false
}
