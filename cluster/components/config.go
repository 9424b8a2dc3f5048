package components

import (
	"bytes"
	"embed"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
)

//go:embed templates
var templateFiles embed.FS

var templates = template.Must(template.ParseFS(templateFiles, "templates/*"))

// Config is what the machine decides about the configuration files.
type Config struct {
	// PluginFolder holds the network plugins.
	PluginFolder string
	// ResolvConf names the machine's own DNS servers.
	ResolvConf string
	// DNSServers answer what is outside the cluster. Empty: nothing is.
	DNSServers []string
}

// settings is what the templates see.
type settings struct {
	Config

	Node, Domain, Network, PodBridge                  string
	NodeIP, DNSIP, PodRange                           string
	KubeletPort                                       int
	PauseImage, CoreDNSImage, TraefikImage            string
	PublicPort                                        int
	Containerd, ContainerdRoot, ContainerdState, Runc string
	CNIFolder, Addresses                              string
	Cgroup, PodLogs, VolumePlugins                    string
	CACertificate, KubeletCertificate, KubeletKey     string
	ProxyKubeconfig                                   string
}

func (l Layout) settings(config Config) settings {
	return settings{
		Config: config,
		Node:   Node, Domain: Domain, Network: Network, PodBridge: PodBridge,
		NodeIP: NodeAddress.Addr().String(), DNSIP: dnsAddress.String(), PodRange: PodRange.String(),
		KubeletPort: KubeletPort,
		PauseImage:  PauseImage, CoreDNSImage: CoreDNSImage, TraefikImage: TraefikImage,
		PublicPort: PublicPort,
		Containerd: l.Containerd(), ContainerdRoot: l.containerdRoot(), ContainerdState: l.containerdState(), Runc: l.runc(),
		CNIFolder: l.cni(), Addresses: l.addresses(),
		Cgroup: "/" + l.Cgroup(), PodLogs: l.PodLogs(), VolumePlugins: l.plugins(),
		CACertificate:      l.certificate(authority),
		KubeletCertificate: l.certificate(kubeletServer), KubeletKey: l.key(kubeletServer),
		ProxyKubeconfig: l.kubeconfig(kubeProxy),
	}
}

// WriteConfig writes every configuration file but the client configurations.
func (l Layout) WriteConfig(config Config) error {
	settings := l.settings(config)
	for name, path := range map[string]string{
		"containerd.toml": l.containerdConfig(),
		"kubelet.yaml":    l.kubeletConfig(),
		"kube-proxy.yaml": l.kubeProxyConfig(),
		"coredns.yaml":    l.CoreDNSManifest(),
		"cni.conflist":    filepath.Join(l.cni(), "10-pods.conflist"),
	} {
		content, err := render(name, settings)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

// WriteTraefik writes the manifest of Knative's ingress.
func (l Layout) WriteTraefik() error {
	content, err := render("traefik.yaml", l.settings(Config{}))
	if err != nil {
		return err
	}
	if err := os.WriteFile(l.TraefikManifest(), content, 0o600); err != nil {
		return fmt.Errorf("write traefik.yaml: %w", err)
	}
	return nil
}

func render(name string, data any) ([]byte, error) {
	var content bytes.Buffer
	if err := templates.ExecuteTemplate(&content, name, data); err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}
	return content.Bytes(), nil
}

// CoreDNSManifest is the file with the Kubernetes objects of the DNS server.
func (l Layout) CoreDNSManifest() string { return filepath.Join(l.config(), "coredns.yaml") }

// TraefikManifest is the file with the Kubernetes objects of Knative's ingress.
func (l Layout) TraefikManifest() string { return filepath.Join(l.config(), "traefik.yaml") }

func (l Layout) containerdConfig() string { return filepath.Join(l.config(), "containerd.toml") }
func (l Layout) kubeletConfig() string    { return filepath.Join(l.config(), "kubelet.yaml") }
func (l Layout) kubeProxyConfig() string  { return filepath.Join(l.config(), "kube-proxy.yaml") }

// PublicAddress is the URL of Knative's ingress.
func PublicAddress() string {
	return "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(PublicPort))
}

// APIAddress is the URL of the API server.
func APIAddress() string {
	return "https://" + net.JoinHostPort(NodeAddress.Addr().String(), strconv.Itoa(APIPort))
}

// writeKubeconfig writes a client configuration that holds all it needs, so
// that it can be copied.
func (l Layout) writeKubeconfig(user string) error {
	data := map[string]string{"Server": APIAddress(), "Cluster": Network, "User": user}
	for field, path := range map[string]string{
		"CA": l.certificate(authority), "Certificate": l.certificate(user), "Key": l.key(user),
	} {
		content, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("client configuration of %s: %w", user, err)
		}
		data[field] = base64.StdEncoding.EncodeToString(content)
	}
	content, err := render("kubeconfig.yaml", data)
	if err != nil {
		return err
	}
	if err := os.WriteFile(l.kubeconfig(user), content, 0o600); err != nil {
		return fmt.Errorf("client configuration of %s: %w", user, err)
	}
	return nil
}

// DNSServers returns the servers named in the content of a resolv.conf that a
// pod can reach too: not those on the machine's loopback address.
func DNSServers(resolvConf string) []string {
	var servers []string
	for line := range strings.Lines(resolvConf) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if address := net.ParseIP(fields[1]); address != nil && !address.IsLoopback() {
			servers = append(servers, fields[1])
		}
	}
	return servers
}
