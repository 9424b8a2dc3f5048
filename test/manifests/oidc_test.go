package manifests_test

import (
	"net/netip"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// TestOIDCComponent renders each overlay with the component by which the gateway
// reaches issuers of tokens, and with the ranges that an operator adds as
// docs/authentication.md has it.
func TestOIDCComponent(t *testing.T) {
	if _, err := rendered(); err != nil { // kustomize makes one thing at a time
		t.Fatal(err)
	}
	own := patch{
		Target: map[string]string{"kind": "NetworkPolicy", "name": "gateway-oidc"},
		Patch:  `[{"op": "add", "path": "/spec/egress/0/to/0/ipBlock/except/-", "value": "198.51.100.0/24"}]`,
	}
	reached := map[string]bool{
		"203.0.113.9:443": true, "[2001:db8::9]:443": true,
		"203.0.113.9:80": false, "203.0.113.9:6443": false, "203.0.113.9:5432": false,
		"10.96.0.1:443": false, "172.18.0.2:443": false, "192.168.49.2:443": false, "100.64.0.1:443": false,
		"169.254.169.254:443": false, "127.0.0.1:443": false,
		"[::1]:443": false, "[fd00:10:96::1]:443": false, "[fe80::1]:443": false,
		"198.51.100.7:443": false, // the operator's own
	}
	for _, overlay := range overlays {
		t.Run(overlay, func(t *testing.T) {
			with := buildWith(t, overlay, "oidc", own)
			policy := with.of("networking.k8s.io", "NetworkPolicy").named("gateway-oidc")
			gateway := with.of("apps", "Deployment").named("gateway")
			if policy == nil || gateway == nil {
				t.Fatal("the component adds no policy, or there is no gateway")
			}
			rules := decode[networkingv1.NetworkPolicySpec](policy, "spec")
			labels := decode[appsv1.DeploymentSpec](gateway, "spec").Template.Labels
			for name, value := range rules.PodSelector.MatchLabels {
				if labels[name] != value {
					t.Errorf("the policy is not for the gateway: %v", rules.PodSelector.MatchLabels)
				}
			}
			if len(rules.PodSelector.MatchLabels) == 0 || len(rules.Ingress) != 0 || policy.GetNamespace() != serviceNamespace {
				t.Errorf("the policy is for more than the gateway: %+v", rules)
			}
			for address, want := range reached {
				if got := lets(t, rules.Egress, netip.MustParseAddrPort(address)); got != want {
					t.Errorf("the gateway reaches %s: %v, want %v", address, got, want)
				}
			}
		})
	}
}

// lets reports whether rules, which name addresses and ports alone, let TCP out
// to an address.
func lets(t *testing.T, rules []networkingv1.NetworkPolicyEgressRule, to netip.AddrPort) bool {
	t.Helper()
	holds := func(cidr string) bool {
		prefix, err := netip.ParsePrefix(cidr)
		if err != nil {
			t.Fatal(err)
		}
		return prefix.Contains(to.Addr())
	}
	return slices.ContainsFunc(rules, func(rule networkingv1.NetworkPolicyEgressRule) bool {
		isPort := slices.ContainsFunc(rule.Ports, func(port networkingv1.NetworkPolicyPort) bool {
			return *port.Protocol == corev1.ProtocolTCP && port.Port.IntValue() == int(to.Port()) && port.EndPort == nil
		})
		return isPort && slices.ContainsFunc(rule.To, func(peer networkingv1.NetworkPolicyPeer) bool {
			return holds(peer.IPBlock.CIDR) && !slices.ContainsFunc(peer.IPBlock.Except, holds)
		})
	})
}
