package manifests_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	"github.com/pods-service/pods/shared/manifests"
	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/storage"
	"github.com/pods-service/pods/shared/templates"
)

var update = flag.Bool("update", false, "write the golden files anew")

// testPod returns a pod with every default filled in, changed by change.
func testPod(change func(*pods.Pod)) pods.Pod {
	pod := pods.Pod{
		TenantID: "dev", SiteID: "local", ID: "db", UID: "5b0c7f3e-7c0d-4f0e-9f3a-0d7a4a3a1f10", Instance: 3,
		K8sName: pods.Name("local", "dev", "db"),
		Spec: pods.Spec{
			Image:        "dev.local/hello:1",
			Networking:   map[string]pods.Networking{pods.DefaultNetworkKey: pods.NewNetworking()},
			Resources:    pods.NewRules().Defaults,
			ComputeQueue: "default",
		},
	}
	if change != nil {
		change(&pod)
	}
	return pod
}

func testCredentials() pods.Credentials {
	return pods.Credentials{
		UserUsername: "db", UserPassword: "not-a-real-user-password",
		AdminUsername: "podsservice", AdminPassword: "not-a-real-admin-password",
	}
}

// withStorage mounts a volume in both forms, a part of it, and a snapshot that
// the user wants to write to.
func withStorage(p *pods.Pod) {
	p.VolumeMounts = map[string]*pods.VolumeMount{
		"results":   {Type: pods.MountVolume, MountPath: new("/results")},
		"/again":    {Type: pods.MountVolume, SourceID: new("results"), ReadOnly: new(true)},
		"/part":     {Type: pods.MountVolume, SourceID: new("results"), SubPath: "a//b/."},
		"/snapshot": {Type: pods.MountSnapshot, SourceID: new("results"), ReadOnly: new(false)},
		"/removed":  nil,
	}
}

func onPort(protocol string, port int) pods.Networking {
	entry := pods.NewNetworking()
	entry.Protocol, entry.Port = protocol, port
	return entry
}

func TestBuildGolden(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		pod     pods.Pod
		profile templates.Profile
		options manifests.Options
	}{
		"minimal": {pod: testPod(nil), profile: templates.ProfileRestricted},
		"no-ports": {pod: testPod(func(p *pods.Pod) {
			p.Networking = nil
		})},
		"credentials": {pod: testPod(func(p *pods.Pod) {
			p.Image = "registry.example/postgres:16"
			p.Command = []string{"run", "--user=<<TAPIS_user_username>>"}
			p.Arguments = []string{"--password", "<<tapissecret_user_password>>"}
			p.EnvironmentVariables = map[string]string{
				"ADMIN":                              "<TAPIS_admin_username>:<TAPIS_admin_password>",
				"PLAIN":                              "as it is",
				"UNKNOWN":                            "[<<TAPIS_no_such_key>>]",
				"KUBERNETES_PORT":                    "the user's own",
				"_TAPIS_INTERNAL_USE_TEMPLATE_ENVS":  "False",
				"_TAPIS_INTERNAL_SOMETHING_ELSE_NEW": "x",
			}
		})},
		"root-profile": {
			pod:     testPod(func(p *pods.Pod) { p.Image = "nginx" }),
			profile: templates.ProfileRoot,
			options: manifests.Options{RunAsNonRoot: true},
		},
		"ports": {pod: testPod(func(p *pods.Pod) {
			p.Networking = map[string]pods.Networking{
				"default":               onPort(pods.ProtocolHTTP, 8080),
				"bolt":                  onPort(pods.ProtocolTCP, 7687),
				"same":                  onPort(pods.ProtocolHTTP, 8080),
				strings.Repeat("k", 64): onPort(pods.ProtocolLocalOnly, 9000),
			}
		})},
		"claims": {pod: testPod(func(p *pods.Pod) {
			p.VolumeMounts = map[string]*pods.VolumeMount{
				"/data":     {Type: pods.MountPVC},
				"/shared/a": {Type: pods.MountPVC, SourceID: new("one"), SubPath: "a"},
				"/shared/b": {Type: pods.MountPVC, SourceID: new("one"), SubPath: "b", ReadOnly: new(true)},
				"two":       {Type: pods.MountPVC, MountPath: new("/two")},
				"/removed":  nil,
			}
		}), options: manifests.Options{StorageClass: "fast"}},
		"storage-host-path": {
			pod:     testPod(withStorage),
			options: manifests.Options{Storage: storage.Source{HostPath: "/srv/pods"}},
		},
		"storage-nfs": {
			pod:     testPod(withStorage),
			options: manifests.Options{Storage: storage.Source{Server: "files.example", Export: "/export/pods"}},
		},
		"storage-claim": {
			pod: testPod(func(p *pods.Pod) {
				withStorage(p)
				delete(p.VolumeMounts, "/part") // of a claim only the whole of a volume can be mounted
				p.VolumeMounts["/own"] = &pods.VolumeMount{Type: pods.MountPVC}
			}),
			options: manifests.Options{Storage: storage.Source{Claim: "shared"}},
		},
		"operator-options": {
			pod: testPod(func(p *pods.Pod) {
				p.Image = "registry.example:5000/cuda@sha256:00"
				p.ComputeQueue = "gpu"
				p.Resources.GPUs = new(int64(1))
			}),
			options: manifests.Options{
				Namespace: "pods", PullPolicy: corev1.PullIfNotPresent, Overcommit: 3,
				EphemeralStorageMiB: 32, GraceSeconds: 5, RunAsNonRoot: true,
				Queues: map[string]manifests.Queue{"gpu": {
					NodeSelector: map[string]string{"kind": "gpu"},
					Tolerations:  []corev1.Toleration{{Key: "gpu", Operator: corev1.TolerationOpExists}},
					GPUs:         []pods.GPUs{{Resource: "nvidia.com/gpu", Max: 1}},
				}},
			},
		},
		"gpus-of-two-kinds": {
			pod: testPod(func(p *pods.Pod) {
				p.ComputeQueue = "mixed"
				p.Resources.GPUs = new(int64(3))
			}),
			options: manifests.Options{Queues: map[string]manifests.Queue{"mixed": {
				GPUs: []pods.GPUs{{Resource: "nvidia.com/gpu", Max: 2}, {Resource: "amd.com/gpu", Max: 2}},
			}}},
		},
		"queue-that-is-gone": {
			pod: testPod(func(p *pods.Pod) { p.ComputeQueue = "gone" }),
			options: manifests.Options{Queues: map[string]manifests.Queue{
				pods.DefaultQueue: {NodeSelector: map[string]string{"kind": "small"}},
			}},
		},
		"long-names": {pod: testPod(func(p *pods.Pod) {
			p.TenantID, p.ID = "tenant-"+strings.Repeat("t", 70), strings.Repeat("p", 64)
			p.K8sName = pods.Name(p.SiteID, p.TenantID, p.ID)
		})},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			built, err := manifests.Build(tc.pod, testCredentials(), tc.profile, tc.options)
			if err != nil {
				t.Fatalf("Build: %v", err)
			}
			checkGolden(t, name, document(t, built))
		})
	}
}

// document renders objects as one YAML stream.
func document(t *testing.T, built manifests.Objects) []byte {
	t.Helper()
	objects := []any{built.Pod}
	if built.Service != nil {
		objects = append(objects, built.Service)
	}
	for _, claim := range built.Claims {
		objects = append(objects, claim)
	}
	var parts [][]byte
	for _, object := range objects {
		part, err := yaml.Marshal(object)
		if err != nil {
			t.Fatalf("marshal: %v", err)
		}
		parts = append(parts, part)
	}
	return bytes.Join(parts, []byte("---\n"))
}

func checkGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("objects differ from %s (-want +got):\n%s", path, diff)
	}
}

func TestBuildRefuses(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		change  func(*pods.Pod)
		profile templates.Profile
		storage storage.Source
	}{
		"PartOfClaim": {change: withStorage, storage: storage.Source{Claim: "shared"}},
		"Volume": {change: func(p *pods.Pod) {
			p.VolumeMounts = map[string]*pods.VolumeMount{"vol": {Type: pods.MountVolume}}
		}},
		"Snapshot": {change: func(p *pods.Pod) {
			p.VolumeMounts = map[string]*pods.VolumeMount{"/s": {Type: pods.MountSnapshot, SourceID: new("snap")}}
		}},
		"GPUWithoutQueue": {change: func(p *pods.Pod) { p.Resources.GPUs = new(int64(1)) }},
		"UnknownProfile":  {profile: "privileged"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := manifests.Build(testPod(tc.change), testCredentials(), tc.profile, manifests.Options{Storage: tc.storage})
			if got := pods.KindOf(err); got != pods.KindInvalid {
				t.Errorf("Build: kind %q (%v), want invalid", got, err)
			}
		})
	}
}

func TestBuildLeavesInputAlone(t *testing.T) {
	t.Parallel()

	pod := testPod(func(p *pods.Pod) {
		p.EnvironmentVariables = map[string]string{"P": "<<TAPIS_user_password>>"}
		p.Command = []string{"<<TAPIS_user_password>>"}
	})
	before := pod.Clone()
	if _, err := manifests.Build(pod, testCredentials(), "", manifests.Options{Overcommit: 4}); err != nil {
		t.Fatalf("Build: %v", err)
	}
	if diff := cmp.Diff(before, pod.Spec); diff != "" {
		t.Errorf("Build changed the stored pod (-before +after):\n%s", diff)
	}
}

// Claims must be found again by the next run and never by the next life.
func TestClaimNames(t *testing.T) {
	t.Parallel()

	withClaim := func(p *pods.Pod) {
		p.VolumeMounts = map[string]*pods.VolumeMount{"/data": {Type: pods.MountPVC}}
	}
	first := manifests.Claims(testPod(withClaim), manifests.Options{})[0].Name
	nextRun := manifests.Claims(testPod(func(p *pods.Pod) { withClaim(p); p.Instance++ }), manifests.Options{})[0].Name
	nextLife := manifests.Claims(testPod(func(p *pods.Pod) { withClaim(p); p.UID = "another" }), manifests.Options{})[0].Name
	if first != nextRun {
		t.Errorf("the next run's claim is %q, want that of the first, %q", nextRun, first)
	}
	if first == nextLife {
		t.Errorf("two lives of a pod share the claim %q", first)
	}
}

func TestRequestsOvercommit(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		overcommit float64
		cpu, mem   string
	}{
		"Zero":     {0, "250m", "256Mi"},
		"BelowOne": {0.5, "250m", "256Mi"},
		"Uneven":   {3, "84m", "86Mi"},
		"Huge":     {1e6, "1m", "1Mi"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			built, err := manifests.Pod(testPod(nil), testCredentials(), "", manifests.Options{Overcommit: tc.overcommit})
			if err != nil {
				t.Fatalf("Pod: %v", err)
			}
			requests := built.Spec.Containers[0].Resources.Requests
			if got := requests.Cpu(); got.Cmp(resource.MustParse(tc.cpu)) != 0 {
				t.Errorf("cpu request is %s, want %s", got, tc.cpu)
			}
			if got := requests.Memory(); got.Cmp(resource.MustParse(tc.mem)) != 0 {
				t.Errorf("memory request is %s, want %s", got, tc.mem)
			}
		})
	}
}

func TestNamespaceGolden(t *testing.T) {
	t.Parallel()

	got, err := yaml.Marshal(manifests.Namespace("pods", storage.Source{Claim: "shared"}))
	if err != nil {
		t.Fatal(err)
	}
	checkGolden(t, "namespace", got)
}
