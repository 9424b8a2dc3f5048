package machine

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseMounts(t *testing.T) {
	t.Parallel()

	const content = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
90 22 0:50 / /var/lib/x/My\040Files\134n rw,relatime - tmpfs tmpfs rw
91 22 0:51 / /run/one rw shared:3 master:1 propagate_from:2 - overlay overlay rw,lowerdir=/a
92 22 0:4 net:[4026532] /run/netns/cni-1 rw - nsfs nsfs rw
`
	got, err := parseMounts(content)
	if err != nil {
		t.Fatal(err)
	}
	want := []Mount{
		{Target: "/", Type: "ext4"},
		{Target: `/var/lib/x/My Files\n`, Type: "tmpfs"},
		{Target: "/run/one", Type: "overlay"},
		{Target: "/run/netns/cni-1", Type: "nsfs"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parseMounts (-want +got):\n%s", diff)
	}
}

func TestParseMountsDamaged(t *testing.T) {
	t.Parallel()

	for _, content := range []string{"22 1 254:0 / /\n", "22 1 254:0 / / rw shared:1 ext4 /dev/vda rw\n", "\n"} {
		if got, err := parseMounts(content); err == nil {
			t.Errorf("parseMounts(%q) = %v, want an error", content, got)
		}
	}
}

func TestUnescape(t *testing.T) {
	t.Parallel()

	tests := map[string]string{
		`/plain`:        "/plain",
		`/a\040b`:       "/a b",
		`/tab\011end`:   "/tab\tend",
		`/back\134`:     `/back\`,
		`/short\04`:     `/short\04`,
		`/not\9octal`:   `/not\9octal`,
		`/too\777large`: `/too\777large`,
	}
	for escaped, want := range tests {
		if got := unescape(escaped); got != want {
			t.Errorf("unescape(%q) = %q, want %q", escaped, got, want)
		}
	}
}

func TestBelow(t *testing.T) {
	t.Parallel()

	mounts := []Mount{
		{Target: "/"}, {Target: "/var/lib/pods"}, {Target: "/var/lib/pods/kubelet"}, {Target: "/var/lib/pods/kubelet/a"},
		{Target: "/var/lib/pods-other"}, {Target: "/var/lib/pods/kubelet/a"},
	}
	want := []string{"/var/lib/pods/kubelet/a", "/var/lib/pods/kubelet/a", "/var/lib/pods/kubelet", "/var/lib/pods"}
	if diff := cmp.Diff(want, below(mounts, "/var/lib/pods")); diff != "" {
		t.Errorf("below (-want +got):\n%s", diff)
	}
}

func TestUnmountBelowNothing(t *testing.T) {
	t.Parallel()

	if err := UnmountBelow(t.TempDir()); err != nil {
		t.Errorf("UnmountBelow of a plain folder: %v", err)
	}
	if err := UnmountBelow("/no/such/folder"); err != nil {
		t.Errorf("UnmountBelow of no folder: %v", err)
	}
}
