package auth

import "strings"

// normalHost returns a request's or a URL's host in the form in which hosts are
// compared: lower case, without the dot that ends an absolute name, and without
// a port that a scheme implies. Behind a proxy that ends TLS the scheme is not
// known, so 80 and 443 are dropped alike.
func normalHost(host string) string {
	host = strings.ToLower(host)
	host = strings.TrimSuffix(host, ":80")
	host = strings.TrimSuffix(host, ":443")
	name, port, hasPort := strings.Cut(host, ":")
	if strings.HasPrefix(host, "[") || !hasPort {
		return strings.TrimSuffix(host, ".") // an IPv6 address ends in "]" or a port
	}
	return strings.TrimSuffix(name, ".") + ":" + port
}
