package acme

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSettings(t *testing.T) {
	t.Parallel()

	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		change func(*Settings)
		want   string // in the error, empty for none
	}{
		"Good":          {func(*Settings) {}, ""},
		"NoEmail":       {func(s *Settings) { s.Email = "" }, ""},
		"Plain":         {func(s *Settings) { s.Directory = "http://ca.example.org/directory" }, "PODS_ACME_DIRECTORY"},
		"NoURL":         {func(s *Settings) { s.Directory = "letsencrypt" }, "PODS_ACME_DIRECTORY"},
		"Email":         {func(s *Settings) { s.Email = "Admin <admin@example.org>" }, "PODS_ACME_EMAIL"},
		"NoFile":        {func(s *Settings) { s.CAFile = file + "x" }, "PODS_ACME_CA_FILE"},
		"NoCertificate": {func(s *Settings) { s.CAFile = file }, "PODS_ACME_CA_FILE"},
		"Storage":       {func(s *Settings) { s.Storage = file }, "PODS_ACME_STORAGE"},
		"Challenge":     {func(s *Settings) { s.Challenges = []string{"dns-01"} }, "PODS_ACME_CHALLENGES"},
		"NoChallenge":   {func(s *Settings) { s.Challenges = nil }, "PODS_ACME_CHALLENGES"},
		"NoOrders":      {func(s *Settings) { s.OrdersPerHour = 0 }, "PODS_ACME_ORDERS_PER_HOUR"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			set := Settings{
				Directory: "https://ca.example.org/directory", Email: "admin@example.org", Storage: filepath.Join(t.TempDir(), "new"),
				Challenges: []string{"tls-alpn-01", "http-01"}, OrdersPerHour: 50,
			}
			tc.change(&set)
			options, err := set.Options()
			if tc.want == "" {
				if err != nil || options == nil {
					t.Errorf("options %v, error %v", options, err)
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("error %v, want one about %s", err, tc.want)
			}
		})
	}
	if options, err := (Settings{}).Options(); options != nil || err != nil {
		t.Errorf("without a directory: %v, %v", options, err)
	}
}

func TestPauses(t *testing.T) {
	t.Parallel()

	now := time.Now()
	p := newPauses(func() time.Time { return now })
	for failures, want := range []int{1, 2, 4, 8, 16, 32, 60, 60} {
		if got, length := p.begin("a"); got != failures+1 || int(length.Minutes()) != want {
			t.Errorf("pause %d is %v, want %d minutes", got, length, want)
		}
	}
	if !p.paused("a") || p.paused("b") {
		t.Error("the pause is not that of the one host")
	}
	now = now.Add(longestPause)
	if p.paused("a") {
		t.Error("the pause does not end")
	}
	p.clear("a")
	if failures, length := p.begin("a"); failures != 1 || length != firstPause {
		t.Errorf("after clear: failure %d, pause %v", failures, length)
	}
}
