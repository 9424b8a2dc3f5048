package ratelimit

import (
	"net/netip"
	"time"
)

// clientPrefix is how much of an IPv6 address makes a client: a network of that
// size is what one gets.
const clientPrefix = 64

// Client returns what counts as one client among addresses: an IPv4 address, or
// the network of an IPv6 one.
func Client(address netip.Addr) netip.Addr {
	address = address.Unmap().WithZone("")
	if address.Is6() {
		prefix, _ := address.Prefix(clientPrefix) // fails for more than 128 bits only
		return prefix.Addr()
	}
	return address
}

// kindVisitor is that of buckets for requests about logins, by address.
const kindVisitor = "visitor:"

// AllowVisitor counts a request about a login that came from an address. It
// returns 0 when it may be answered, and otherwise how long to wait. Requests
// whose address is not known share one bucket.
func (l *Limiter) AllowVisitor(from netip.Addr) time.Duration {
	wait := l.take(steady(l.rates.Visitor), key{kind: kindVisitor, user: Client(from).String()}, l.now())
	if wait > 0 {
		l.refused.WithLabelValues("visitor").Inc()
	}
	return wait
}

// Kinds of buckets for failures to log in.
const (
	kindAddress = "failures-of-address:"
	kindUser    = "failures-of-user:"
	kindBoth    = "failures-of-both:"
)

// maxName bounds the memory that made-up names take, in bytes.
const maxName = 64

// strangerShare is how many times less often than an address may fail in all it
// may fail for a user for whom too many have failed already.
const strangerShare = 10

// AllowLogin counts an attempt to log in at a tenant as a user, or as a client,
// from an address. isGood says that the password was right. It returns 0 when
// the attempt may be answered, and otherwise how long to wait: then isGood must
// not be told, or there would be no bound on guessing.
//
// Only failures use anything up, of what one address may fail for all users and
// of what all addresses may fail for one user. Where the latter is used up, each
// address still has one try a while. So many addresses guess slowly together, and
// the user gets in from an address that has not failed lately.
func (l *Limiter) AllowLogin(from netip.Addr, tenantID, name string, isGood bool) time.Duration {
	if l.rates.Failures <= 0 {
		return 0
	}
	name = name[:min(len(name), maxName)]
	client := Client(from).String()
	whole := limit{l.rates.Failures / 60, max(int(l.rates.Failures), 1)}
	ofAddress := key{kind: kindAddress, user: client}
	ofUser := key{kind: kindUser, tenant: tenantID, user: name}
	ofBoth := key{kind: kindBoth, tenant: tenantID, user: name + "@" + client}

	now := l.now()
	use := func(of limit, k key) time.Duration { return l.take(of, k, now) }
	if isGood {
		use = func(_ limit, k key) time.Duration { return l.look(k, now) }
	}
	wait := use(whole, ofAddress)
	if wait == 0 {
		// Both are used, so that who fails while there is room has no try left later.
		alone := use(limit{whole.perSecond / strangerShare, 1}, ofBoth)
		if together := use(whole, ofUser); together > 0 {
			wait = min(alone, together)
		}
	}
	if wait > 0 {
		l.refused.WithLabelValues("login").Inc()
	}
	return wait
}

// look returns how long there will be no token in k's bucket, and takes none.
func (l *Limiter) look(k key, now time.Time) time.Duration {
	b := l.known(k)
	if b == nil {
		return 0
	}
	return b.wait(now)
}
