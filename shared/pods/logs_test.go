package pods_test

import (
	"testing"
	"time"

	"github.com/pods-service/pods/shared/pods"
)

func TestNextLogWait(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		wait  time.Duration
		bytes int
		want  time.Duration
	}{
		"Silent":     {time.Minute, 0, 2 * time.Minute},
		"Some":       {time.Minute, 512 << 10, time.Minute},
		"Much":       {time.Minute, 2 << 20, 30 * time.Second},
		"LongSilent": {8 * time.Minute, 0, pods.MaxLogWait},
		"MuchAlways": {pods.MinLogWait, 10 << 20, pods.MinLogWait},
		"Unknown":    {0, 0, pods.MinLogWait},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if got := pods.NextLogWait(tc.wait, tc.bytes); got != tc.want {
				t.Errorf("NextLogWait(%s, %d) = %s, want %s", tc.wait, tc.bytes, got, tc.want)
			}
		})
	}
}
