package pods

import (
	"slices"
	"time"
)

// Status is where a pod is in its life.
type Status string

// The statuses of a pod.
const (
	StatusRequested    Status = "REQUESTED"     // wanted; waits for the spawner
	StatusSpawnerSetup Status = "SPAWNER SETUP" // the spawner builds its objects
	StatusCreating     Status = "CREATING"      // objects exist; Kubernetes starts it
	StatusAvailable    Status = "AVAILABLE"     // its container runs
	StatusComplete     Status = "COMPLETE"      // its container ended well
	StatusError        Status = "ERROR"         // its container failed or never started
	StatusDeleting     Status = "DELETING"      // its objects are being removed
	StatusStopped      Status = "STOPPED"       // nothing runs
)

// Statuses lists every status in the order of a pod's life.
var Statuses = []Status{
	StatusRequested, StatusSpawnerSetup, StatusCreating, StatusAvailable,
	StatusComplete, StatusError, StatusDeleting, StatusStopped,
}

// Desired is what the user wants of a pod.
type Desired string

// The wishes a user can have.
const (
	DesiredOn      Desired = "ON"
	DesiredOff     Desired = "OFF"
	DesiredRestart Desired = "RESTART" // OFF, then ON once it has stopped
)

// Starts reports whether d asks for a start.
func (d Desired) Starts() bool { return d == DesiredOn || d == DesiredRestart }

// Actor is the part of the service that moves a pod to another status.
type Actor string

// The actors of the life cycle.
const (
	ActorAPI     Actor = "api"
	ActorSpawner Actor = "spawner"
	ActorHealth  Actor = "health"
)

// Transition is one permitted move. From is empty for a pod that is created.
type Transition struct {
	From    Status
	To      Status
	By      []Actor
	Trigger string // what brings it about, for people
}

// Transitions is the whole life cycle: a move that is not listed does not
// happen. Stores name the From statuses of a move in the statement that makes
// it, so two actors at once cannot both make it.
var Transitions = []Transition{
	{"", StatusRequested, []Actor{ActorAPI}, "created with status_requested ON"},
	{"", StatusStopped, []Actor{ActorAPI}, "created with status_requested OFF"},
	{StatusStopped, StatusRequested, []Actor{ActorAPI, ActorHealth, ActorSpawner}, "started, or still wanted ON after a stop"},
	{StatusRequested, StatusSpawnerSetup, []Actor{ActorSpawner}, "the spawner takes the request"},
	{StatusSpawnerSetup, StatusCreating, []Actor{ActorSpawner}, "pod and service exist in Kubernetes"},
	{StatusSpawnerSetup, StatusError, []Actor{ActorSpawner, ActorHealth}, "the objects cannot be made, or not in time"},
	{StatusRequested, StatusError, []Actor{ActorHealth}, "no spawner took the request in time"},
	{StatusCreating, StatusAvailable, []Actor{ActorHealth}, "the container runs"},
	{StatusCreating, StatusComplete, []Actor{ActorHealth}, "the container ended with exit code 0"},
	{StatusCreating, StatusError, []Actor{ActorHealth}, "the container failed, cannot start, or not in time"},
	{StatusAvailable, StatusComplete, []Actor{ActorHealth}, "the container ended with exit code 0"},
	{StatusAvailable, StatusError, []Actor{ActorHealth}, "the container failed"},
	{StatusRequested, StatusDeleting, []Actor{ActorSpawner}, "status_requested OFF or RESTART"},
	{StatusSpawnerSetup, StatusDeleting, []Actor{ActorSpawner}, "status_requested OFF or RESTART"},
	{StatusCreating, StatusDeleting, []Actor{ActorSpawner}, "status_requested OFF or RESTART"},
	{StatusAvailable, StatusDeleting, []Actor{ActorSpawner}, "status_requested OFF or RESTART"},
	{StatusComplete, StatusDeleting, []Actor{ActorSpawner}, "status_requested OFF or RESTART"},
	{StatusError, StatusDeleting, []Actor{ActorSpawner}, "status_requested OFF or RESTART"},
	{StatusDeleting, StatusStopped, []Actor{ActorHealth, ActorSpawner}, "its Kubernetes objects are gone"},
	{StatusCreating, StatusStopped, []Actor{ActorHealth}, "its Kubernetes pod has vanished"},
	{StatusAvailable, StatusStopped, []Actor{ActorHealth}, "its Kubernetes pod has vanished"},
}

// From lists the statuses from which by may move a pod to to, in the order of
// Statuses.
func From(by Actor, to Status) []Status {
	var from []Status
	for _, t := range Transitions {
		if t.To == to && t.From != "" && slices.Contains(t.By, by) {
			from = append(from, t.From)
		}
	}
	slices.SortFunc(from, func(a, b Status) int { return slices.Index(Statuses, a) - slices.Index(Statuses, b) })
	return from
}

// MayMove reports whether by may move a pod from one status to another.
func MayMove(by Actor, from, to Status) bool {
	return slices.ContainsFunc(Transitions, func(t Transition) bool {
		return t.From == from && t.To == to && slices.Contains(t.By, by)
	})
}

// Limit is how long a pod may stay in a passing status and what ends it then.
type Limit struct {
	// Retry is how long to wait before the request is sent again; 0 means it
	// is never sent again.
	Retry time.Duration
	// End is how long the status may last at the most.
	End time.Duration
	// Then is what happens at the end, for people.
	Then string
}

// Limits holds every passing status: a pod in any other stays there until a
// user acts, its container ends or its time to stop comes.
var Limits = map[Status]Limit{
	StatusRequested:    {Retry: 15 * time.Second, End: 10 * time.Minute, Then: "ERROR"},
	StatusSpawnerSetup: {Retry: 15 * time.Second, End: 10 * time.Minute, Then: "ERROR"},
	StatusCreating:     {End: 30 * time.Minute, Then: "ERROR"},
	StatusDeleting:     {Retry: 15 * time.Second, End: 2 * time.Minute, Then: "objects removed by force, then STOPPED"},
}
