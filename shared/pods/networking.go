package pods

import (
	"maps"
	"slices"
)

// The protocols by which a port can be reached.
const (
	ProtocolHTTP      = "http"
	ProtocolTCP       = "tcp"
	ProtocolPostgres  = "postgres"
	ProtocolLocalOnly = "local_only"
)

// DefaultNetworkKey is the networking entry that gets the pod's plain name.
const DefaultNetworkKey = "default"

// Networking says how one port of a pod is reached. It is stored and shown as
// one JSON document, so it carries the JSON names of the API.
type Networking struct {
	Protocol string `json:"protocol"`
	Port     int    `json:"port"`
	URL      string `json:"url"` // host name, without scheme; set by the service
	// IPAllowList holds IPv4 addresses and CIDR ranges; empty allows all.
	IPAllowList []string `json:"ip_allow_list"`

	TapisAuth                bool              `json:"tapis_auth"`
	TapisAuthResponseHeaders map[string]string `json:"tapis_auth_response_headers"`
	TapisAuthAllowedUsers    []string          `json:"tapis_auth_allowed_users"`
	TapisAuthReturnPath      string            `json:"tapis_auth_return_path"`

	CORSAllowOrigins     []string `json:"cors_allow_origins"`
	CORSAllowMethods     []string `json:"cors_allow_methods"`
	CORSAllowHeaders     []string `json:"cors_allow_headers"`
	CORSAllowCredentials bool     `json:"cors_allow_credentials"`
	CORSMaxAge           int      `json:"cors_max_age"` // seconds

	TapisUIURI            string `json:"tapis_ui_uri"`
	TapisUIURIRedirect    bool   `json:"tapis_ui_uri_redirect"`
	TapisUIURIDescription string `json:"tapis_ui_uri_description"`
}

// NewNetworking returns an entry in which every field has its default: HTTP on
// port 5000, open to all.
func NewNetworking() Networking {
	return Networking{
		Protocol:                 ProtocolHTTP,
		Port:                     5000,
		IPAllowList:              []string{},
		TapisAuthResponseHeaders: map[string]string{},
		TapisAuthAllowedUsers:    []string{"*"},
		TapisAuthReturnPath:      "/",
		CORSAllowOrigins:         []string{},
		CORSAllowMethods:         []string{},
		CORSAllowHeaders:         []string{},
		CORSMaxAge:               100,
	}
}

// Clone returns a copy that shares no map or slice with n.
func (n Networking) Clone() Networking {
	n.IPAllowList = slices.Clone(n.IPAllowList)
	n.TapisAuthResponseHeaders = maps.Clone(n.TapisAuthResponseHeaders)
	n.TapisAuthAllowedUsers = slices.Clone(n.TapisAuthAllowedUsers)
	n.CORSAllowOrigins = slices.Clone(n.CORSAllowOrigins)
	n.CORSAllowMethods = slices.Clone(n.CORSAllowMethods)
	n.CORSAllowHeaders = slices.Clone(n.CORSAllowHeaders)
	return n
}

// Host returns the public name of one networking entry of a pod, without
// scheme or port: "<pod>.<domain>" for the default key and
// "<pod>-<key>.<domain>" for others. It is the same on every call. Neither pod
// ids nor keys hold a hyphen, so two entries never share a name.
func Host(podID, key, podsDomain string) string {
	if key == DefaultNetworkKey {
		return podID + "." + podsDomain
	}
	return podID + "-" + key + "." + podsDomain
}

// WithURLs returns a copy of networking in which each entry has its URL; an
// entry that is local_only has none.
func WithURLs(networking map[string]Networking, podID, podsDomain string) map[string]Networking {
	named := make(map[string]Networking, len(networking))
	for key, entry := range networking {
		entry = entry.Clone()
		entry.URL = ""
		if entry.Protocol != ProtocolLocalOnly {
			entry.URL = Host(podID, key, podsDomain)
		}
		named[key] = entry
	}
	return named
}

// withoutURLs empties the URL of each entry in networking.
func withoutURLs(networking map[string]Networking) map[string]Networking {
	for key, entry := range networking {
		entry.URL = ""
		networking[key] = entry
	}
	return networking
}
