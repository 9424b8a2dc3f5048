package traefik

// document is the dynamic configuration as Traefik reads it. Traefik refuses
// the whole of it when a section is there and empty, so each is left out then.
type document struct {
	HTTP *httpSection `json:"http,omitempty"`
	TCP  *tcpSection  `json:"tcp,omitempty"`
}

type httpSection struct {
	Middlewares map[string]middleware  `json:"middlewares,omitempty"`
	Routers     map[string]router      `json:"routers,omitempty"`
	Services    map[string]httpService `json:"services,omitempty"`
}

type tcpSection struct {
	Middlewares map[string]middleware `json:"middlewares,omitempty"`
	Routers     map[string]router     `json:"routers,omitempty"`
	Services    map[string]tcpService `json:"services,omitempty"`
}

type router struct {
	EntryPoints []string  `json:"entryPoints,omitempty"`
	Middlewares []string  `json:"middlewares,omitempty"` // the first sees a request first
	Priority    int       `json:"priority,omitempty"`    // zero: the length of the rule
	Rule        string    `json:"rule"`
	Service     string    `json:"service"`
	TLS         routerTLS `json:"tls"` // empty too, it says that the router is for TLS
}

type routerTLS struct {
	CertResolver string `json:"certResolver,omitempty"`
	Passthrough  bool   `json:"passthrough,omitempty"`
}

// middleware has exactly one field set.
type middleware struct {
	Errors           *errorPages       `json:"errors,omitempty"`
	ForwardAuth      *forwardAuth      `json:"forwardAuth,omitempty"`
	Headers          *headers          `json:"headers,omitempty"`
	IPAllowList      *ipAllowList      `json:"ipAllowList,omitempty"`
	ReplacePathRegex *replacePathRegex `json:"replacePathRegex,omitempty"`
	StripPrefix      *stripPrefix      `json:"stripPrefix,omitempty"`
}

type errorPages struct {
	Query   string   `json:"query"`
	Service string   `json:"service"`
	Status  []string `json:"status"`
}

type forwardAuth struct {
	Address             string   `json:"address"`
	AuthResponseHeaders []string `json:"authResponseHeaders"`
	TrustForwardHeader  bool     `json:"trustForwardHeader"`
}

type headers struct {
	AllowCredentials     bool              `json:"accessControlAllowCredentials,omitempty"`
	AllowHeaders         []string          `json:"accessControlAllowHeaders,omitempty"`
	AllowMethods         []string          `json:"accessControlAllowMethods,omitempty"`
	AllowOriginList      []string          `json:"accessControlAllowOriginList,omitempty"`
	MaxAge               int               `json:"accessControlMaxAge,omitempty"` // seconds
	AddVaryHeader        bool              `json:"addVaryHeader,omitempty"`
	CustomRequestHeaders map[string]string `json:"customRequestHeaders,omitempty"` // an empty value removes
}

type ipAllowList struct {
	SourceRange []string `json:"sourceRange"`
}

type replacePathRegex struct {
	Regex       string `json:"regex"`
	Replacement string `json:"replacement"`
}

type stripPrefix struct {
	Prefixes []string `json:"prefixes"`
}

type httpService struct {
	LoadBalancer httpServers `json:"loadBalancer"`
}

type httpServers struct {
	Servers []httpServer `json:"servers"`
}

type httpServer struct {
	URL string `json:"url"`
}

type tcpService struct {
	LoadBalancer tcpServers `json:"loadBalancer"`
}

type tcpServers struct {
	Servers []tcpServer `json:"servers"`
}

type tcpServer struct {
	Address string `json:"address"`
}

func toHTTP(url string) httpService {
	return httpService{LoadBalancer: httpServers{Servers: []httpServer{{URL: url}}}}
}

func toTCP(address string) tcpService {
	return tcpService{LoadBalancer: tcpServers{Servers: []tcpServer{{Address: address}}}}
}
