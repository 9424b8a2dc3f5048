package traefik

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/routes"
)

// add renders one route. When it fails, the document is as it was.
func (d *document) add(name string, route *routes.Route, options Options) error {
	host, err := routes.CanonicalHost(route.Host)
	if err != nil || host != route.Host {
		return fmt.Errorf("%q is not a host name", route.Host)
	}
	isServing := route.State == routes.StateServing
	switch {
	case route.Protocol == pods.ProtocolHTTP && isServing:
		return d.addHTTP(name, route, options)
	case route.Protocol == pods.ProtocolHTTP:
		return d.addPage(name, route, options)
	case route.Protocol == pods.ProtocolTCP || route.Protocol == pods.ProtocolPostgres:
		if !isServing {
			return nil // nothing that such a client understands could be said
		}
		return d.addTCP(name, route, options)
	}
	return fmt.Errorf("protocol %q is not one that Traefik is given", route.Protocol)
}

func (d *document) addHTTP(name string, route *routes.Route, options Options) error {
	chain, err := newChain(name, route, options)
	if err != nil {
		return err
	}
	target, err := options.target(route)
	if err != nil {
		return err
	}
	d.HTTP.addAll(chain)
	d.HTTP.Services[name] = toHTTP("http://" + target)
	d.HTTP.Routers[name] = options.router(hostRule("Host", route), name, 0, append(chain.names, stripName)...)
	return nil
}

// addPage has the API show a page in the place of a pod that does not serve, to
// those who could visit the pod.
func (d *document) addPage(name string, route *routes.Route, options Options) error {
	chain := &chain{}
	chain.addIPAllowList(name, route.AllowList)
	chain.add("tapis-splash-"+name, rewriteTo("/pod-splash"))
	d.HTTP.addAll(chain)
	d.HTTP.Routers[name] = options.router(hostRule("Host", route), apiName, 0, chain.names...)
	return nil
}

func (d *document) addTCP(name string, route *routes.Route, options Options) error {
	if route.Networking.TapisAuth {
		return errors.New("a login needs the protocol http")
	}
	chain := &chain{}
	chain.addIPAllowList(name, route.AllowList)
	target, err := options.target(route)
	if err != nil {
		return err
	}
	entry := options.router(hostRule("HostSNI", route), name, 0, chain.names...)
	if route.Protocol == pods.ProtocolPostgres {
		entry.TLS = routerTLS{Passthrough: true}
	}
	for i, name := range chain.names {
		d.TCP.Middlewares[name] = chain.middlewares[i]
	}
	d.TCP.Services[name], d.TCP.Routers[name] = toTCP(target), entry
	return nil
}

// target returns the "host:port" at which the entry's pod is reached.
func (o Options) target(route *routes.Route) (string, error) {
	if o.Backends == ByAddress {
		return route.Target, nil
	}
	if route.Networking.Port < 1 || route.Networking.Port > 65535 {
		return "", fmt.Errorf("port %d is not between 1 and 65535", route.Networking.Port)
	}
	return net.JoinHostPort(route.K8sName, strconv.Itoa(route.Networking.Port)), nil
}

// hostRule matches the route's host, in which no backquote can be: see add.
func hostRule(matcher string, route *routes.Route) string {
	return matcher + "(`" + route.Host + "`)"
}

// authAddress returns what Traefik asks before it lets a visitor through.
func (o Options) authAddress(route *routes.Route) (string, error) {
	base := ""
	if o.AuthBase != nil {
		base = o.AuthBase(route.TenantID)
	}
	if base == "" {
		return "", fmt.Errorf("tenant %q has no address to log in at", route.TenantID)
	}
	id := route.PodID
	if route.Key != pods.DefaultNetworkKey {
		id += "-" + route.Key
	}
	return url.JoinPath(base, "v3", "pods", url.PathEscape(id), "auth")
}

func (s *httpSection) addAll(chain *chain) {
	for i, name := range chain.names {
		s.Middlewares[name] = chain.middlewares[i]
	}
}
