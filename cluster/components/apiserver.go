package components

import "strconv"

// apiServerArguments returns the API server's command line.
func (l Layout) apiServerArguments() []string {
	node := NodeAddress.Addr().String()
	return []string{
		"--etcd-servers=unix://" + l.EtcdSocket(),
		"--bind-address=" + node,
		"--advertise-address=" + node, // pods reach it there, so never loopback
		"--secure-port=" + strconv.Itoa(APIPort),
		"--service-cluster-ip-range=" + ServiceRange.String(),
		"--cert-dir=" + l.pki(),
		"--tls-cert-file=" + l.certificate(apiServer),
		"--tls-private-key-file=" + l.key(apiServer),

		"--client-ca-file=" + l.certificate(authority),
		"--anonymous-auth=false",
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--service-account-issuer=https://kubernetes.default.svc." + Domain,
		"--service-account-key-file=" + l.key(serviceAccounts),
		"--service-account-signing-key-file=" + l.key(serviceAccounts),

		"--kubelet-certificate-authority=" + l.certificate(authority),
		"--kubelet-client-certificate=" + l.certificate(apiServerClient),
		"--kubelet-client-key=" + l.key(apiServerClient),
		"--kubelet-preferred-address-types=InternalIP",

		"--allow-privileged=true",
	}
}
