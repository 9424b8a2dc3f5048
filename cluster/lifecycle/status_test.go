package lifecycle

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStatusUp(t *testing.T) {
	t.Parallel()

	running := []ComponentStatus{{"etcd", 7}, {"kubelet", 8}}
	tests := map[string]struct {
		status            Status
		wantUp, wantWhole bool
	}{
		"All":         {Status{Components: running, APIReady: true, NodeReady: true, DNSReady: true}, true, true},
		"NodeUnready": {Status{Components: running, APIReady: true, DNSReady: true}, false, true},
		"OneDead":     {Status{Components: []ComponentStatus{{"etcd", 7}, {"kubelet", 0}}, APIReady: true, NodeReady: true, DNSReady: true}, false, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if got := tc.status.Up(); got != tc.wantUp {
				t.Errorf("Up = %t, want %t", got, tc.wantUp)
			}
			if got := tc.status.complete(); got != tc.wantWhole {
				t.Errorf("complete = %t, want %t", got, tc.wantWhole)
			}
		})
	}
}

// What is not there does not have to work.
func TestStatusWorking(t *testing.T) {
	t.Parallel()

	up := Status{Components: []ComponentStatus{{"etcd", 7}}, APIReady: true, NodeReady: true, DNSReady: true}
	tests := map[string]struct {
		knative *KnativeStatus
		want    bool
	}{
		"NotThere": {nil, true},
		"Ready":    {&KnativeStatus{}, true},
		"NotReady": {&KnativeStatus{NotReady: []string{"traefik/traefik"}}, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			status := up
			status.Knative = tc.knative
			if got := status.Working(); got != tc.want {
				t.Errorf("Working = %t, want %t", got, tc.want)
			}
			if !status.Up() {
				t.Error("without Knative it counts as down, and would be replaced")
			}
		})
	}
}

func TestStatusPrintKnative(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		notReady []string
		want     string
	}{
		"Ready":    {nil, "Knative                  ready\n"},
		"NotReady": {[]string{"traefik/traefik", "knative-serving/*"}, "Knative                  not ready: traefik/traefik, knative-serving/*\n"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var got bytes.Buffer
			Status{Knative: &KnativeStatus{Address: "http://127.0.0.1:8080", NotReady: tc.notReady}}.Print(&got)
			if want := tc.want + "Knative's ingress        http://127.0.0.1:8080\n"; !strings.HasSuffix(got.String(), want) {
				t.Errorf("Print ends otherwise than %q:\n%s", want, got.String())
			}
		})
	}
}

func TestStatusPrint(t *testing.T) {
	t.Parallel()

	status := Status{
		Components: []ComponentStatus{{"etcd", 7}, {"kubelet", 0}},
		APIReady:   true, Node: "node1", Address: "https://10.0.0.1:6443", Kubeconfig: "/x/kubeconfig",
	}
	const want = `etcd                     up    pid 7
kubelet                  down
API                      ready
node node1               not ready
CoreDNS                  not ready
address                  https://10.0.0.1:6443
kubeconfig               /x/kubeconfig
`
	var got bytes.Buffer
	status.Print(&got)
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("Print (-want +got):\n%s", diff)
	}
}

func TestKubernetesProgram(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		arguments []string
		want      string
	}{
		"OwnProgram":   {[]string{"/usr/bin/kubelet", "--config=/x"}, "kubelet"},
		"Whole":        {[]string{"/usr/local/bin/k3s", "server"}, "k3s"},
		"OurPart":      {[]string{"/opt/bin/kube", "kube-proxy", "--config=/x"}, "kube-proxy"},
		"OurClient":    {[]string{"/opt/bin/kube", "kubectl", "logs", "kubelet"}, ""},
		"OnlyMentions": {[]string{"grep", "kubelet"}, ""},
		"Empty":        {nil, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if got := kubernetesProgram(tc.arguments); got != tc.want {
				t.Errorf("kubernetesProgram = %q, want %q", got, tc.want)
			}
		})
	}
}
