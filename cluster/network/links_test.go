package network

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
)

func TestOverlap(t *testing.T) {
	t.Parallel()

	ranges := []netip.Prefix{netip.MustParsePrefix("10.99.0.0/24"), netip.MustParsePrefix("10.96.0.0/16")}
	tests := map[string]struct{ route, want string }{
		"Inside":    {"10.96.4.0/24", "10.96.0.0/16"},
		"Around":    {"10.0.0.0/8", "10.99.0.0/24"},
		"OneHost":   {"10.99.0.7/32", "10.99.0.0/24"},
		"Elsewhere": {"192.168.0.0/16", ""},
		"Default":   {"0.0.0.0/0", ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, route, err := net.ParseCIDR(tc.route)
			if err != nil {
				t.Fatal(err)
			}
			var want netip.Prefix
			if tc.want != "" {
				want = netip.MustParsePrefix(tc.want)
			}
			if got := overlap(route, ranges); got != want {
				t.Errorf("overlap(%s) = %v, want %v", tc.route, got, want)
			}
		})
	}
	if got := overlap(nil, ranges); got.IsValid() {
		t.Errorf("overlap of the default route = %v", got)
	}
}

func TestListensEverywhere(t *testing.T) {
	t.Parallel()

	const header = "  sl  local_address rem_address   st tx_queue rx_queue\n"
	tests := map[string]struct {
		line string
		want bool
	}{
		"AllIPv4":   {"   0: 00000000:192B 00000000:0000 0A 0:0 0:0", true},
		"AllIPv6":   {"   0: 00000000000000000000000000000000:192B 0:0 0A 0:0", true},
		"OneOnly":   {"   0: 0100007F:192B 00000000:0000 0A 0:0 0:0", false},
		"OtherPort": {"   0: 00000000:192C 00000000:0000 0A 0:0 0:0", false},
		"NoServer":  {"   0: 00000000:192B 00000000:0000 01 0:0 0:0", false},
		"Damaged":   {"   0: 00000000", false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if got := listensEverywhere(header+tc.line+"\n", 6443); got != tc.want {
				t.Errorf("listensEverywhere = %t, want %t", got, tc.want)
			}
		})
	}
}

func TestWhole(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		interruptions int
		wantErr       error
	}{
		"AtOnce": {0, nil},
		"Later":  {3, nil},
		"Never":  {1000, netlink.ErrDumpInterrupted},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			asked := 0
			list, err := whole(func() ([]int, error) {
				asked++
				if asked <= tc.interruptions {
					return nil, netlink.ErrDumpInterrupted
				}
				return []int{asked}, nil
			})
			if !errors.Is(err, tc.wantErr) {
				t.Fatalf("whole: %v, want %v", err, tc.wantErr)
			}
			if err == nil && (len(list) != 1 || list[0] != tc.interruptions+1) {
				t.Errorf("whole = %v, want the answer that was not interrupted", list)
			}
		})
	}
}
