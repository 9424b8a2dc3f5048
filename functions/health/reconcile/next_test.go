package reconcile

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pods-service/pods/shared/events"
	"github.com/pods-service/pods/shared/kube"
	"github.com/pods-service/pods/shared/pods"
)

var testNow = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// ago returns the time that long before testNow.
func ago(d time.Duration) time.Time { return testNow.Add(-d) }

// podIn returns a pod in its second run that has been in that status for age
// and is wanted ON, changed by change.
func podIn(status pods.Status, age time.Duration, change ...func(*pods.Pod)) pods.Pod {
	pod := pods.Pod{
		TenantID: "dev", SiteID: "local", ID: "db", UID: "life", Instance: 2,
		K8sName: pods.Name("local", "dev", "db"),
		Spec:    pods.Spec{TimeToStopDefault: -1},
		Status:  status, StatusRequested: pods.DesiredOn, StatusSince: ago(age), UpdateTS: ago(age),
	}
	for _, c := range change {
		c(&pod)
	}
	return pod
}

func wanted(wish pods.Desired) func(*pods.Pod) {
	return func(p *pods.Pod) { p.StatusRequested = wish }
}

// told sets what the user was last told of the container.
func told(status pods.ContainerStatus) func(*pods.Pod) {
	return func(p *pods.Pod) { p.StatusContainer = status }
}

// seenIn returns the Kubernetes pod of that run in that state, changed by change.
func seenIn(state kube.State, change ...func(*kube.Observed)) *kube.Observed {
	seen := &kube.Observed{
		Name: pods.Name("local", "dev", "db"), TenantID: "dev", PodID: "db", UID: "life", Instance: 2,
		ObjectUID: "object", CreatedAt: ago(time.Minute), Phase: "Pending", State: state,
	}
	if state == kube.StateRunning {
		seen.Phase, seen.PodIP, seen.StartedAt, seen.Ready = "Running", "10.1.2.3", ago(2*time.Second), true
	}
	for _, c := range change {
		c(seen)
	}
	return seen
}

func because(reason, message string) func(*kube.Observed) {
	return func(o *kube.Observed) { o.Reason, o.Message = reason, message }
}

func exit(code int32) func(*kube.Observed) { return func(o *kube.Observed) { o.ExitCode = code } }

func leaving(since time.Duration) func(*kube.Observed) {
	return func(o *kube.Observed) { o.TerminatingSince = ago(since) }
}

// outcome is a decision in short.
type outcome struct {
	To      pods.Status // of a move
	Finish  bool
	StopDue bool
	Resend  string
	Facts   bool   // container facts are kept
	Message string // what the user is told, in part
}

func outcomeOf(d decision) outcome {
	o := outcome{Finish: d.finish, StopDue: d.stopDue, Resend: d.resend, Facts: d.container != nil}
	if d.move != nil {
		o.To, o.Message = d.move.To, d.move.Container.Message
	}
	if d.container != nil {
		o.Message = d.container.Message
	}
	return o
}

type nextCase struct {
	pod  pods.Pod
	seen *kube.Observed
	want outcome
}

func runNext(t *testing.T, tests map[string]nextCase) {
	t.Helper()
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			d := next(tc.pod, tc.seen, testNow)
			got := outcomeOf(d)
			if !strings.Contains(got.Message, tc.want.Message) {
				t.Errorf("the user is told %q, want %q in it", got.Message, tc.want.Message)
			}
			if tc.want.Message != "" {
				got.Message = tc.want.Message
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
			if d.move != nil && !pods.MayMove(pods.ActorHealth, tc.pod.Status, d.move.To) {
				t.Errorf("health may not move a pod from %s to %s", tc.pod.Status, d.move.To)
			}
			if d.finish && tc.pod.Status != pods.StatusStopped && !pods.MayMove(pods.ActorHealth, tc.pod.Status, pods.StatusStopped) {
				t.Errorf("health may not stop a pod that is %s", tc.pod.Status)
			}
		})
	}
}

func TestNextUnmade(t *testing.T) {
	t.Parallel()

	tests := map[string]nextCase{}
	for _, status := range []pods.Status{pods.StatusRequested, pods.StatusSpawnerSetup} {
		limit := pods.Limits[status]
		for name, tc := range map[string]nextCase{
			"Fresh":     {podIn(status, limit.Retry-1), nil, outcome{}},
			"Unheard":   {podIn(status, limit.Retry), nil, outcome{Resend: events.TypePodRequested}},
			"TooLong":   {podIn(status, limit.End), nil, outcome{To: pods.StatusError, Message: "10 minutes"}},
			"SaysWhy":   {podIn(status, limit.End, told(pods.ContainerStatus{Message: "no quota"})), nil, outcome{To: pods.StatusError, Message: "no quota"}},
			"HeldByOld": {podIn(status, 1), seenIn(kube.StateRunning, func(o *kube.Observed) { o.Instance = 1 }), outcome{}},
			"RowIsOld":  {podIn(status, limit.End), seenIn(kube.StateRunning, func(o *kube.Observed) { o.Instance = 3 }), outcome{}},
			"NotWanted": {podIn(status, limit.End, wanted(pods.DesiredOff)), nil, outcome{Resend: events.TypePodStopRequested}},
			"JustNotWanted": {podIn(status, limit.End, wanted(pods.DesiredOff), func(p *pods.Pod) { p.UpdateTS = testNow }),
				nil, outcome{}},
		} {
			tests[string(status)+name] = tc
		}
	}
	runNext(t, tests)
}

func TestNextCreating(t *testing.T) {
	t.Parallel()

	creating := func(age time.Duration, change ...func(*pods.Pod)) pods.Pod {
		return podIn(pods.StatusCreating, age, change...)
	}
	pending := told(pods.ContainerStatus{Phase: "Pending"})
	end := pods.Limits[pods.StatusCreating].End
	waiting := func(reason string) *kube.Observed { return seenIn(kube.StateWaiting, because(reason, "words")) }
	runNext(t, map[string]nextCase{
		"Running":        {creating(0), seenIn(kube.StateRunning), outcome{To: pods.StatusAvailable}},
		"Starting":       {creating(0, pending), seenIn(kube.StateWaiting, because("ContainerCreating", "")), outcome{}},
		"Initializing":   {creating(0, pending), seenIn(kube.StateWaiting, because("PodInitializing", "")), outcome{}},
		"JustMade":       {creating(0, pending), seenIn(kube.StateWaiting), outcome{}},
		"FirstFacts":     {creating(0), seenIn(kube.StateWaiting), outcome{Facts: true}},
		"PullFailedOnce": {creating(0, pending), waiting("ErrImagePull"), outcome{Facts: true, Message: "ErrImagePull: words"}},
		"PullFails":      {creating(0), waiting("ImagePullBackOff"), outcome{To: pods.StatusError, Message: "ImagePullBackOff: words"}},
		"NeverPulled":    {creating(0), waiting("ErrImageNeverPull"), outcome{To: pods.StatusError, Message: "ErrImageNeverPull"}},
		"BadName":        {creating(0), waiting("InvalidImageName"), outcome{To: pods.StatusError, Message: "InvalidImageName"}},
		"BadConfig":      {creating(0), waiting("CreateContainerConfigError"), outcome{To: pods.StatusError, Message: "CreateContainerConfigError: words"}},
		"CrashLoop":      {creating(0), waiting("CrashLoopBackOff"), outcome{To: pods.StatusError, Message: "CrashLoopBackOff"}},
		"NoNode":         {creating(0, pending), waiting("Unschedulable"), outcome{Facts: true, Message: "Unschedulable: words"}},
		"NoNodeAsBefore": {creating(0, told(pods.ContainerStatus{Phase: "Pending", Message: "Unschedulable: words"})),
			waiting("Unschedulable"), outcome{}},
		"NoNodeForLong": {creating(end, pending), waiting("Unschedulable"), outcome{To: pods.StatusError, Message: "30 minutes. Unschedulable: words"}},
		"StuckForLong":  {creating(end), seenIn(kube.StateWaiting, because("ContainerCreating", "")), outcome{To: pods.StatusError, Message: "30 minutes"}},
		"Succeeded":     {creating(0), seenIn(kube.StateSucceeded, because("Completed", "")), outcome{To: pods.StatusComplete}},
		"Failed":        {creating(0), seenIn(kube.StateFailed, exit(7), because("Error", "")), outcome{To: pods.StatusError, Message: "exit code 7, Error"}},
		"NoProgram":     {creating(0), seenIn(kube.StateFailed, exit(128), because("StartError", "no such file")), outcome{To: pods.StatusError, Message: "exit code 128, StartError: no such file"}},
		"Vanished":      {creating(0), nil, outcome{Finish: true}},
		"OlderHolds":    {creating(0), seenIn(kube.StateRunning, func(o *kube.Observed) { o.Instance = 1 }), outcome{Finish: true}},
		"OtherLife":     {creating(0), seenIn(kube.StateRunning, func(o *kube.Observed) { o.UID = "other" }), outcome{Finish: true}},
		"NewerRun":      {creating(0), seenIn(kube.StateRunning, func(o *kube.Observed) { o.Instance = 3 }), outcome{}},
		"Unheard":       {creating(time.Minute, pending, wanted(pods.DesiredOff)), seenIn(kube.StateWaiting), outcome{Resend: events.TypePodStopRequested}},
	})
}

func TestNextAvailable(t *testing.T) {
	t.Parallel()

	known := told(pods.ContainerStatus{Phase: "Running", StartTime: ago(2 * time.Second).Format(time.RFC3339), Ready: true})
	available := func(change ...func(*pods.Pod)) pods.Pod {
		return podIn(pods.StatusAvailable, time.Hour, append([]func(*pods.Pod){known}, change...)...)
	}
	stopAt := func(at time.Time) func(*pods.Pod) { return func(p *pods.Pod) { p.TimeToStopTS = &at } }
	runNext(t, map[string]nextCase{
		"Quiet":    {available(), seenIn(kube.StateRunning), outcome{}},
		"NotReady": {available(), seenIn(kube.StateRunning, func(o *kube.Observed) { o.Ready = false }), outcome{Facts: true}},
		"Ended":    {available(), seenIn(kube.StateSucceeded), outcome{To: pods.StatusComplete}},
		"OutOfMemory": {available(), seenIn(kube.StateFailed, exit(137), because("OOMKilled", "")),
			outcome{To: pods.StatusError, Message: "more memory than its limit allows and was ended: exit code 137, OOMKilled"}},
		"Evicted": {available(), seenIn(kube.StateFailed, because("Evicted", "The node was low on disk.")),
			outcome{To: pods.StatusError, Message: "Evicted: The node was low on disk."}},
		"Vanished":   {available(), nil, outcome{Finish: true}},
		"Taken":      {available(), seenIn(kube.StateRunning, leaving(time.Second)), outcome{}},
		"TakenEnded": {available(), seenIn(kube.StateFailed, exit(143), leaving(time.Second)), outcome{}},
		"NodeLost": {available(), seenIn(kube.StateRunning, leaving(pods.Limits[pods.StatusDeleting].End)),
			outcome{To: pods.StatusError, Message: "its node does not answer"}},
		"NotDue":          {available(stopAt(testNow.Add(1))), seenIn(kube.StateRunning), outcome{}},
		"Due":             {available(stopAt(testNow)), seenIn(kube.StateRunning), outcome{StopDue: true}},
		"DueAndStopping":  {available(stopAt(testNow), wanted(pods.DesiredOff)), seenIn(kube.StateRunning), outcome{Resend: events.TypePodStopRequested}},
		"RestartUnheard":  {available(wanted(pods.DesiredRestart)), seenIn(kube.StateRunning), outcome{Resend: events.TypePodStopRequested}},
		"EndedAndUnheard": {available(wanted(pods.DesiredOff)), seenIn(kube.StateSucceeded), outcome{To: pods.StatusComplete}},
	})
}

func TestNextEnded(t *testing.T) {
	t.Parallel()

	tests := map[string]nextCase{}
	for _, status := range []pods.Status{pods.StatusComplete, pods.StatusError} {
		due := func(p *pods.Pod) { p.TimeToStopTS = new(testNow) }
		for name, tc := range map[string]nextCase{
			"Stays":   {podIn(status, 1000*time.Hour), seenIn(kube.StateFailed), outcome{}},
			"Gone":    {podIn(status, 1000*time.Hour), nil, outcome{}},
			"Due":     {podIn(status, time.Hour, due), nil, outcome{StopDue: true}},
			"Unheard": {podIn(status, time.Hour, wanted(pods.DesiredOff)), nil, outcome{Resend: events.TypePodStopRequested}},
			"Heard":   {podIn(status, 0, wanted(pods.DesiredOff)), nil, outcome{}},
		} {
			tests[string(status)+name] = tc
		}
	}
	runNext(t, tests)
}

func TestNextDeleting(t *testing.T) {
	t.Parallel()

	limit := pods.Limits[pods.StatusDeleting]
	deleting := func(age time.Duration) pods.Pod {
		return podIn(pods.StatusDeleting, age, wanted(pods.DesiredOff), func(p *pods.Pod) { p.TimeToStopTS = new(ago(time.Hour)) })
	}
	runNext(t, map[string]nextCase{
		"Gone":      {deleting(0), nil, outcome{Finish: true}},
		"OlderOnly": {deleting(0), seenIn(kube.StateRunning, func(o *kube.Observed) { o.Instance = 1 }), outcome{Finish: true}},
		"JustAsked": {deleting(0), seenIn(kube.StateRunning), outcome{}},
		"Unheard":   {deleting(limit.Retry), seenIn(kube.StateRunning), outcome{Resend: events.TypePodStopRequested}},
		"Leaving":   {deleting(limit.End), seenIn(kube.StateRunning, leaving(limit.End-1)), outcome{}},
		"Overdue":   {deleting(limit.End), seenIn(kube.StateRunning, leaving(limit.End)), outcome{Resend: events.TypePodStopRequested}},
	})
}

func TestNextStopped(t *testing.T) {
	t.Parallel()

	runNext(t, map[string]nextCase{
		"Off":            {podIn(pods.StatusStopped, time.Hour, wanted(pods.DesiredOff)), nil, outcome{}},
		"Restart":        {podIn(pods.StatusStopped, time.Hour, wanted(pods.DesiredRestart)), nil, outcome{Finish: true}},
		"On":             {podIn(pods.StatusStopped, time.Hour), nil, outcome{Finish: true}},
		"RestartJustNow": {podIn(pods.StatusStopped, 0, wanted(pods.DesiredRestart)), nil, outcome{}},
	})
}

func TestNextKeepsWhatIsKnown(t *testing.T) {
	t.Parallel()

	seen := seenIn(kube.StateRunning, func(o *kube.Observed) { o.RestartCount = 1 })
	move := next(podIn(pods.StatusCreating, 0), seen, testNow).move
	want := &pods.Move{
		Ref: podIn(pods.StatusCreating, 0).Ref(), By: pods.ActorHealth, To: pods.StatusAvailable,
		Container: &pods.ContainerStatus{Phase: "Running", StartTime: "2026-01-02T03:04:03Z", Ready: true, RestartCount: 1},
		Address:   "10.1.2.3", StartedAt: new(ago(2 * time.Second)),
	}
	if diff := cmp.Diff(want, move); diff != "" {
		t.Errorf("move (-want +got):\n%s", diff)
	}
}

// No passing status may last for ever, whatever the cluster says.
func TestNextEndsEveryPassingStatus(t *testing.T) {
	t.Parallel()

	for status := range pods.Limits {
		for name, seen := range map[string]*kube.Observed{
			"Nothing": nil, "Waiting": seenIn(kube.StateWaiting), "Leaving": seenIn(kube.StateWaiting, leaving(24*time.Hour)),
		} {
			wish := pods.DesiredOn
			if status == pods.StatusDeleting {
				wish = pods.DesiredOff
			}
			if d := next(podIn(status, 24*time.Hour, wanted(wish)), seen, testNow); outcomeOf(d) == (outcome{}) || d.container != nil {
				t.Errorf("%s with %s: nothing ends it", status, name)
			}
		}
	}
}

func TestMessagesAreBounded(t *testing.T) {
	t.Parallel()

	d := next(podIn(pods.StatusCreating, 0), seenIn(kube.StateFailed, because("Error", strings.Repeat("ü", 5000))), testNow)
	if got := d.move.Container.Message; len(got) > maxMessage+100 || strings.ContainsRune(got, '�') {
		t.Errorf("message has %d bytes", len(got))
	}
}
