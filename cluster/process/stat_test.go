package process

import "testing"

func TestParseStat(t *testing.T) {
	t.Parallel()

	const rest = " 1 100 100 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 1000 10"
	tests := map[string]struct {
		stat      string
		wantState byte
		wantTicks uint64
		wantErr   bool
	}{
		"Plain":          {"42 (kube) S" + rest, 'S', 4711, false},
		"SpaceInName":    {"42 (tmux: server) R" + rest, 'R', 4711, false},
		"ParenthesisIn":  {"42 (a) S 1) Z" + rest, 'Z', 4711, false},
		"NoName":         {"42 kube S" + rest, 0, 0, true},
		"Short":          {"42 (kube) S 1 100", 0, 0, true},
		"Empty":          {"", 0, 0, true},
		"TicksNoNumber":  {"42 (kube) S 1 100 100 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 soon 1000", 0, 0, true},
		"StateTwoLetter": {"42 (kube) SS" + rest, 0, 0, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			state, ticks, err := parseStat([]byte(tc.stat))
			if (err != nil) != tc.wantErr {
				t.Fatalf("parseStat: %v, want error: %t", err, tc.wantErr)
			}
			if err == nil && (state != tc.wantState || ticks != tc.wantTicks) {
				t.Errorf("parseStat = %c, %d, want %c, %d", state, ticks, tc.wantState, tc.wantTicks)
			}
		})
	}
}
