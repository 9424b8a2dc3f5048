package rest

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the addresses of the proxies in front of the API, whose word is
// taken for who has sent a request.
type Proxies []netip.Prefix

// Client returns the address that a request was sent from, the zero Addr when it
// is not known. Proxies put the address that they see at the end of
// X-Forwarded-For, so it is read from there as far as proxies have written it;
// what comes before is the word of nobody.
func (p Proxies) Client(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	client := peer.Addr().Unmap()
	lines := r.Header["X-Forwarded-For"]
	for n := len(lines) - 1; n >= 0; n-- {
		for rest, more := lines[n], true; more; {
			if !p.contains(client) {
				return client
			}
			var last string
			last, rest, more = cutLast(rest)
			address, err := netip.ParseAddr(strings.TrimSpace(last))
			if err != nil {
				return client
			}
			client = address.Unmap()
		}
	}
	return client
}

// cutLast returns what is behind the last comma of list, and what is before it
// if there is one.
func cutLast(list string) (last, rest string, more bool) {
	if n := strings.LastIndexByte(list, ','); n >= 0 {
		return list[n+1:], list[:n], true
	}
	return list, "", false
}

func (p Proxies) contains(address netip.Addr) bool {
	address = address.WithZone("")
	return slices.ContainsFunc(p, func(prefix netip.Prefix) bool { return prefix.Contains(address) })
}
