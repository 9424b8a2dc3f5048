package pods

import (
	"maps"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	networkKeyPattern = regexp.MustCompile(`^[a-z0-9]{3,64}$`)
	returnPathPattern = regexp.MustCompile(`^/[A-Za-z0-9.\-_/]*$`)
	uiURIPattern      = regexp.MustCompile(`^/([a-z][a-z0-9.\-/]+)?$`)
	headerNamePattern = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$") // RFC 9110 section 5.6.2
	volumeIDPattern   = regexp.MustCompile(`^[a-z][a-z0-9-]+$`)

	protocols   = []string{ProtocolHTTP, ProtocolTCP, ProtocolPostgres, ProtocolLocalOnly}
	corsMethods = []string{"GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"}
)

// networking checks every entry; map order does not show in what is reported.
func (c *checker) networking(networking map[string]Networking) {
	c.networkingCount(networking)
	for _, key := range slices.Sorted(maps.Keys(networking)) {
		c.require(networkKeyPattern.MatchString(key), "networking",
			"networking key must be lowercase alphanumeric, 3-64 characters. Default is 'default'. Received: %q", key)
		c.entry(networking[key])
	}
}

func (c *checker) entry(n Networking) {
	const field = "networking"
	c.require(slices.Contains(protocols, n.Protocol), field,
		"networking.protocol must be one of the following: %s", strings.Join(protocols, ", "))
	c.require(n.Port >= 10 && n.Port <= 65535, field,
		"networking.port must be an int with 2 to 5 digits, at most 65535. Received: %d", n.Port)
	for _, address := range n.IPAllowList {
		c.require(isIPv4(address), field, "networking.ip_allow_list may only contain IPv4 addresses or CIDR ranges. Received: %q", address)
	}
	c.login(n)
	c.cors(n)
	c.require(n.TapisUIURI == "" || len(n.TapisUIURI) <= 128 && uiURIPattern.MatchString(n.TapisUIURI), field,
		"networking.tapis_ui_uri must start with '/', hold lowercase letters, digits, '.', '-' and '/' and be at most 128 characters")
	c.require(len(n.TapisUIURIDescription) <= 255, field, "networking.tapis_ui_uri_description must be at most 255 characters")
	c.ascii(field, "networking.tapis_ui_uri_description", n.TapisUIURIDescription)
}

func (c *checker) login(n Networking) {
	const field = "networking"
	c.require(!n.TapisAuth || n.Protocol == ProtocolHTTP, field,
		"networking.tapis_auth can only be used with protocol 'http'")
	c.require(len(n.TapisAuthReturnPath) <= 180 && returnPathPattern.MatchString(n.TapisAuthReturnPath), field,
		"networking.tapis_auth_return_path must start with '/', hold letters, digits, '.', '-', '_' and '/' and be at most 180 characters")
	for name, value := range n.TapisAuthResponseHeaders {
		c.require(headerNamePattern.MatchString(name), field,
			"networking.tapis_auth_response_headers names must be HTTP header names. Received: %q", name)
		c.require(isHeaderValue(value), field,
			"networking.tapis_auth_response_headers %q cannot contain control characters", name)
	}
	for _, user := range n.TapisAuthAllowedUsers {
		c.require(user != "" && isHeaderValue(user), field, "networking.tapis_auth_allowed_users cannot contain empty names or control characters")
	}
}

func (c *checker) cors(n Networking) {
	const field = "networking"
	isSet := len(n.CORSAllowOrigins)+len(n.CORSAllowMethods)+len(n.CORSAllowHeaders) > 0 || n.CORSAllowCredentials
	c.require(!isSet || n.Protocol == ProtocolHTTP, field, "networking.cors fields can only be used with protocol 'http'")
	for _, origin := range n.CORSAllowOrigins {
		c.require(origin != "" && !strings.ContainsFunc(origin, func(r rune) bool { return r <= ' ' || r > '~' || r == ',' }), field,
			"networking.cors_allow_origins may only contain origins. Received: %q", origin)
	}
	for _, method := range n.CORSAllowMethods {
		c.require(slices.Contains(corsMethods, method), field,
			"networking.cors_allow_methods may only contain %s. Received: %q", strings.Join(corsMethods, ", "), method)
	}
	for _, name := range n.CORSAllowHeaders {
		c.require(headerNamePattern.MatchString(name), field, "networking.cors_allow_headers may only contain header names. Received: %q", name)
	}
	c.require(n.CORSMaxAge >= 0 && n.CORSMaxAge <= 100, field, "networking.cors_max_age must be between 0 and 100 seconds. Received: %d", n.CORSMaxAge)
}

func isHeaderValue(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 127 })
}

func isIPv4(text string) bool {
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return prefix.Addr().Is4()
	}
	address, err := netip.ParseAddr(text)
	return err == nil && address.Is4()
}

func (c *checker) mounts(mounts map[string]*VolumeMount) {
	paths := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(mounts)) {
		if mount := mounts[key]; mount != nil {
			normal := NormalizeMount(key, *mount)
			c.mount(key, normal)
			c.require(!paths[normal.Path], "volume_mounts", "volume_mounts can mount only one volume at %s", normal.Path)
			paths[normal.Path] = true
		}
	}
}

func (c *checker) mount(key string, m Mount) {
	const field = "volume_mounts"
	known := slices.Contains([]string{MountVolume, MountSnapshot, MountPVC}, m.Type)
	c.require(m.Type != "", field, "volume_mounts %q must specify a 'type'", key)
	c.require(m.Type == "" || known, field, "Invalid volume mount type for %q: %s. Use tapisvolume, tapissnapshot or pvc", key, m.Type)
	if KeyedByPath(key) && m.Type != MountPVC {
		c.require(m.SourceID != "", field, "volume_mounts %q must specify 'source_id'", key)
	}
	if m.SourceID != "" {
		c.require(volumeIDPattern.MatchString(m.SourceID), field,
			"volume_mounts %q must name a volume in lowercase alphanumeric characters", m.SourceID)
	}
	c.require(path.IsAbs(m.Path) && m.Path != "/" && !strings.ContainsAny(m.Path, ":\x00"), field, "volume_mounts mount path %q must be an absolute path other than /, without ':'", m.Path)
	c.require(!hasDotDot(m.Path) && !hasDotDot(m.SubPath), field, "volume_mounts %q cannot contain '..'", key)
	c.require(len(m.SubPath) <= 255 && !path.IsAbs(m.SubPath) && !strings.ContainsAny(m.SubPath, "\\\x00"), field,
		"volume_mounts %q sub_path must be at most 255 characters, relative and without backslashes", key)
}

func hasDotDot(p string) bool { return slices.Contains(strings.Split(p, "/"), "..") }
