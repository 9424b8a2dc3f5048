package volumes

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/pods-service/pods/shared/pods"
)

const (
	// lookAhead is of how many times of an expression the distance is looked at.
	lookAhead = 200
	// stampFormat is what the id of a copy ends in: the time it was due, UTC.
	stampFormat = "20060102150405"
	// maxKept is how many copies a rule of a retention policy may keep.
	maxKept = 1000
	maxText = 255 // bytes of an expression or policy
)

// epoch is where the times of an expression are looked at from to check it.
var epoch = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

var cronParser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// Cron says when a schedule is due. Make one with ParseCron.
type Cron struct{ schedule cron.Schedule }

// ParseCron reads a cron expression: five fields (minute, hour, day of the month,
// month, day of the week), one of @hourly, @daily, @weekly, @monthly and @yearly,
// or @every with a duration such as 90m. Times are UTC.
//
// Errors: saying what is wrong, also with one that names no time.
func ParseCron(text string) (Cron, error) {
	// The parser has a prefix for time zones too, which it reads without care.
	if strings.Contains(text, "TZ=") {
		return Cron{}, errors.New("times are UTC, another time zone cannot be set")
	}
	schedule, err := cronParser.Parse(text)
	if err != nil {
		return Cron{}, fmt.Errorf("it is not a cron expression of five fields, such as '0 3 * * *': %w", err)
	}
	if schedule.Next(epoch).IsZero() {
		return Cron{}, errors.New("it names no time that ever comes")
	}
	return Cron{schedule}, nil
}

// Next returns the first time after the given one, zero when none comes.
func (c Cron) Next(after time.Time) time.Time { return c.schedule.Next(after.UTC()) }

// interval returns the least time between two of the next times; 0 when there is
// one alone.
func (c Cron) interval() time.Duration {
	least, last := time.Duration(0), c.Next(epoch)
	for range lookAhead {
		next := c.Next(last)
		if next.IsZero() {
			break
		}
		if distance := next.Sub(last); least == 0 || distance < least {
			least = distance
		}
		last = next
	}
	return least
}

// CheckInterval checks that the times of the snapshot's schedule, if it has one,
// are at least as far apart as an installation wants them.
//
// Errors: KindInvalid.
func (s Snapshot) CheckInterval(least time.Duration) error {
	cron, err := ParseCron(s.Cron)
	if s.Cron == "" || err != nil {
		return nil //nolint:nilerr // Check has found it
	}
	if has := cron.interval(); has > 0 && has < least {
		return pods.Invalid("cron '%s' cannot be used: its times are %s apart, they must be at least %s", s.Cron, has, least)
	}
	return nil
}

// Next returns when the snapshot's schedule is due after the given time; nil
// without one, or when no time comes any more.
func (s Snapshot) Next(after time.Time) *time.Time {
	schedule, err := ParseCron(s.Cron)
	if s.Cron == "" || err != nil {
		return nil
	}
	next := schedule.Next(after)
	if next.IsZero() {
		return nil
	}
	return &next
}

// Copy returns the snapshot that the schedule s asks for at a time that it was
// due: of the same files, for the same users. Its id is made of the schedule's
// and the time, so that an event that comes twice asks for the same one.
func (s Snapshot) Copy(dueAt time.Time) Snapshot {
	dueAt = dueAt.UTC()
	taken := s
	taken.ID = s.ID + dueAt.Format(stampFormat)
	taken.Cron, taken.RetentionPolicy = "", ""
	taken.NextDueAt, taken.LastDueAt, taken.LastError = nil, nil, ""
	taken.ScheduleID, taken.DueAt = s.ID, &dueAt
	taken.Usage = Usage{}
	taken.Permissions = slices.Clone(s.Permissions)
	return taken
}

// Retention says how many copies of a schedule are kept. The zero value keeps
// all.
type Retention struct {
	Last    int // the newest
	Hourly  int // of as many hours the newest of each, and so on
	Daily   int
	Weekly  int
	Monthly int
	Yearly  int
}

// rules are the rules of a policy by their names.
func (r *Retention) rules() map[string]*int {
	return map[string]*int{
		"keep_last": &r.Last, "keep_hourly": &r.Hourly, "keep_daily": &r.Daily,
		"keep_weekly": &r.Weekly, "keep_monthly": &r.Monthly, "keep_yearly": &r.Yearly,
	}
}

// ParseRetention reads a retention policy: rules such as keep_last=3 and
// keep_daily=7, separated by commas. Empty keeps all.
//
// Errors: saying what is wrong.
func ParseRetention(text string) (Retention, error) {
	var r Retention
	if strings.TrimSpace(text) == "" {
		return r, nil
	}
	rules := r.rules()
	for rule := range strings.SplitSeq(text, ",") {
		name, number, _ := strings.Cut(strings.TrimSpace(rule), "=")
		count, known := rules[name]
		switch value, err := strconv.Atoi(number); {
		case !known:
			return Retention{}, fmt.Errorf("'%s' is no rule: there are keep_last=N, keep_hourly=N, keep_daily=N, keep_weekly=N, keep_monthly=N and keep_yearly=N", strings.TrimSpace(rule))
		case err != nil || value < 1 || value > maxKept:
			return Retention{}, fmt.Errorf("%s needs a whole number from 1 to %d", name, maxKept)
		case *count != 0:
			return Retention{}, fmt.Errorf("%s is there twice", name)
		default:
			*count = value
		}
	}
	return r, nil
}

// periods says in which hour, day, week, month and year a time is, for the rules
// that keep one copy of each.
func (r Retention) periods() []period {
	format := func(layout string) func(time.Time) string {
		return func(at time.Time) string { return at.Format(layout) }
	}
	week := func(at time.Time) string {
		year, number := at.ISOWeek()
		return fmt.Sprint(year, number)
	}
	return []period{
		{r.Hourly, format("2006010215")}, {r.Daily, format("20060102")}, {r.Weekly, week},
		{r.Monthly, format("200601")}, {r.Yearly, format("2006")},
	}
}

type period struct {
	count int
	of    func(time.Time) string
}

// Surplus returns which of the copies that were due at the given times, all of
// one schedule and in any order, no rule keeps: a copy stays if one rule alone
// keeps it.
func (r Retention) Surplus(dueAt []time.Time) []time.Time {
	if r == (Retention{}) {
		return nil
	}
	newest := slices.Clone(dueAt)
	slices.SortFunc(newest, func(a, b time.Time) int { return b.Compare(a) })
	keep := make([]bool, len(newest))
	for i := range min(r.Last, len(newest)) {
		keep[i] = true
	}
	for _, p := range r.periods() {
		seen := map[string]bool{}
		for i, at := range newest {
			name := p.of(at.UTC())
			if len(seen) < p.count && !seen[name] {
				seen[name], keep[i] = true, true
			}
		}
	}
	var surplus []time.Time
	for i, at := range newest {
		if !keep[i] {
			surplus = append(surplus, at)
		}
	}
	return surplus
}

// schedule checks the fields by which copies are made and removed.
func (c *checker) schedule(s Snapshot) {
	c.require(len(s.Cron) <= maxText, "cron", "cron must be at most %d bytes", maxText)
	c.require(len(s.RetentionPolicy) <= maxText, "retention_policy", "retention_policy must be at most %d bytes", maxText)
	if s.Cron != "" {
		_, err := ParseCron(s.Cron)
		c.require(err == nil, "cron", "cron '%s' cannot be used: %v", s.Cron, err)
		longest := maxID - len(stampFormat)
		c.require(len(s.ID) <= longest, "snapshot_id",
			"snapshot_id of a snapshot with cron may have at most %d characters: copies add the time to it. Inputted length: %d", longest, len(s.ID))
	}
	_, err := ParseRetention(s.RetentionPolicy)
	c.require(err == nil, "retention_policy", "retention_policy cannot be used: %v", err)
}

// Busy is the error for what cannot be done to a volume or snapshot while a pod
// that is wanted to run mounts it.
func Busy(kind Kind, id, podID string) *pods.Error {
	return pods.Conflict("%s '%s' is mounted by pod '%s'. Stop that pod, or take the mount out of it, and try again.", kind, id, podID)
}
