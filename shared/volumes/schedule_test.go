package volumes_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pods-service/pods/shared/volumes"
)

func TestParseCron(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 31, 22, 30, 15, 0, time.UTC)
	tests := map[string]struct {
		next    time.Time
		failure string
	}{
		"0 3 * * *":       {time.Date(2026, 2, 1, 3, 0, 0, 0, time.UTC), ""},
		"*/10 * * * *":    {time.Date(2026, 1, 31, 22, 40, 0, 0, time.UTC), ""},
		"@daily":          {time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), ""},
		"0 0 29 2 *":      {time.Date(2028, 2, 29, 0, 0, 0, 0, time.UTC), ""},
		"@every 90m":      {time.Date(2026, 2, 1, 0, 0, 15, 0, time.UTC), ""},
		"@every 1s":       {time.Date(2026, 1, 31, 22, 30, 16, 0, time.UTC), ""},
		"0 0 30 2 *":      {failure: "no time that ever comes"},
		"0 3 * *":         {failure: "five fields"},
		"0 3 * * * *":     {failure: "five fields"},
		"CRON_TZ=UTC":     {failure: "UTC"},
		"TZ=Asia/Tokyo 0": {failure: "UTC"},
		"":                {failure: "five fields"},
		"@reboot":         {failure: "five fields"},
	}
	for text, tc := range tests {
		t.Run(text, func(t *testing.T) {
			t.Parallel()

			cron, err := volumes.ParseCron(text)
			if tc.failure != "" {
				if err == nil || !strings.Contains(err.Error(), tc.failure) {
					t.Errorf("%v, want a failure with %q", err, tc.failure)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := cron.Next(at.In(time.FixedZone("far", 9*60*60))); !got.Equal(tc.next) {
				t.Errorf("next at %s, want %s", got, tc.next)
			}
		})
	}
}

func TestCheckInterval(t *testing.T) {
	t.Parallel()

	for text, apart := range map[string]string{
		"": "", "never": "", "*/10 * * * *": "", "@every 10m": "", "@daily": "", "0 0 29 2 *": "",
		"* * * * *": "1m0s", "0,5 3 * * *": "5m0s", "@every 1s": "1s", "55 23 31 12 *": "", "0,55 0,23 * * *": "5m0s",
	} {
		err := volumes.Snapshot{Cron: text}.CheckInterval(10 * time.Minute)
		if isShort := apart != ""; isShort != (err != nil) || isShort && !strings.Contains(err.Error(), "its times are "+apart+" apart") {
			t.Errorf("%q: %v, want one with %q", text, err, apart)
		}
	}
}

func TestRetention(t *testing.T) {
	t.Parallel()
	// Copies at 06:00 and 18:00 of six days, oldest first: days 1 to 6.
	var all []time.Time
	for day := 1; day <= 6; day++ {
		all = append(all, time.Date(2026, 1, day, 6, 0, 0, 0, time.UTC), time.Date(2026, 1, day, 18, 0, 0, 0, time.UTC))
	}
	tests := map[string]struct {
		kept    []string // "day hour", newest first
		failure string
	}{
		"":                             {[]string{"6 18", "6 6", "5 18", "5 6", "4 18", "4 6", "3 18", "3 6", "2 18", "2 6", "1 18", "1 6"}, ""},
		"keep_last=1":                  {[]string{"6 18"}, ""},
		"keep_last=3":                  {[]string{"6 18", "6 6", "5 18"}, ""},
		"keep_daily=3":                 {[]string{"6 18", "5 18", "4 18"}, ""},
		"keep_last=2, keep_daily=3":    {[]string{"6 18", "6 6", "5 18", "4 18"}, ""},
		"keep_weekly=2":                {[]string{"6 18", "4 18"}, ""}, // Monday is the 5th
		"keep_monthly=1,keep_yearly=1": {[]string{"6 18"}, ""},
		"keep_hourly=2":                {[]string{"6 18", "6 6"}, ""},
		"keep_last=1000":               {[]string{"6 18", "6 6", "5 18", "5 6", "4 18", "4 6", "3 18", "3 6", "2 18", "2 6", "1 18", "1 6"}, ""},
		"keep_last=0":                  {failure: "1 to 1000"},
		"keep_last=1001":               {failure: "1 to 1000"},
		"keep_last=-1":                 {failure: "1 to 1000"},
		"keep_last":                    {failure: "1 to 1000"},
		"keep_last=1,keep_last=2":      {failure: "twice"},
		"keep_forever=1":               {failure: "is no rule"},
		"keep_last=1;keep_daily=2":     {failure: "1 to 1000"},
		"keep_last=1,":                 {failure: "is no rule"},
	}
	for text, tc := range tests {
		t.Run(text, func(t *testing.T) {
			t.Parallel()

			policy, err := volumes.ParseRetention(text)
			if tc.failure != "" {
				if err == nil || !strings.Contains(err.Error(), tc.failure) {
					t.Errorf("%v, want a failure with %q", err, tc.failure)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			surplus := policy.Surplus(all)
			var kept []string
			for _, at := range slices.Backward(all) {
				if !slices.ContainsFunc(surplus, at.Equal) {
					kept = append(kept, at.Format("2 15"))
				}
			}
			for i, name := range kept {
				kept[i] = strings.Replace(name, " 06", " 6", 1)
			}
			if !slices.Equal(kept, tc.kept) {
				t.Errorf("kept %v, want %v", kept, tc.kept)
			}
		})
	}
}

// TestCopiesHaveIDs: whatever schedule is allowed, its copies may be called as they
// are.
func TestCopiesHaveIDs(t *testing.T) {
	t.Parallel()
	schedule := volumes.Snapshot{
		Base: volumes.Base{ID: "a" + strings.Repeat("z", 113), SizeLimit: 1}, SourceVolumeID: "vol", SourceVolumePath: "/", Cron: "@daily",
	}
	if err := schedule.Check(); err != nil {
		t.Fatal(err)
	}
	taken := schedule.Copy(time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("east", 3600)))
	if err := taken.Check(); err != nil || !strings.HasSuffix(taken.ID, "zz20260102020405") || taken.Cron != "" {
		t.Errorf("the copy %s: %v", taken.ID, err)
	}
	schedule.ID += "z"
	if err := schedule.Check(); err == nil || !strings.Contains(err.Error(), "at most 114 characters") {
		t.Errorf("a longer id: %v", err)
	}
}
