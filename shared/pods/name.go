package pods

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// maxNameLength is the most a DNS label may hold (RFC 1035 section 2.3.4):
// Kubernetes names services by one.
const maxNameLength = 63

// Name returns the Kubernetes name of a pod's objects,
// "pods-<site>-<tenant>-<pod_id>": the same on every call, at most 63 bytes.
// A name that would be longer, or whose site or tenant holds a hyphen or
// anything else a label cannot hold as it is, ends in a hash of its parts, so
// that no two pods share one.
func Name(siteID, tenantID, podID string) string {
	name := "pods-" + siteID + "-" + tenantID + "-" + podID
	if len(name) <= maxNameLength && plain(siteID) && plain(tenantID) && plain(podID) {
		return name
	}
	sum := sha256.Sum256([]byte(siteID + "\x00" + tenantID + "\x00" + podID))
	hash := hex.EncodeToString(sum[:])[:10]
	name = label(name)
	if keep := maxNameLength - len(hash) - 1; len(name) > keep {
		name = name[:keep]
	}
	return strings.TrimRight(name, "-") + "-" + hash
}

func plain(part string) bool {
	return part != "" && label(part) == part && !strings.Contains(part, "-")
}

// label replaces what a DNS label cannot hold by hyphens.
func label(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, text)
}
