package pods

import (
	"slices"
	"time"
)

// Optional is a value that may be absent, as a key may be from a JSON object.
type Optional[T any] struct {
	Set   bool
	Value T
}

// Some returns a value that is present.
func Some[T any](value T) Optional[T] { return Optional[T]{Set: true, Value: value} }

// Patch is what a user sent about a pod: at create all of it, at update just
// what is to change. Fields that are not set keep their value, or get their
// default at create.
type Patch struct {
	ID                   Optional[string] // at create only
	Image                Optional[string]
	Template             Optional[string]
	Description          Optional[string]
	Command              Optional[[]string]
	Arguments            Optional[[]string]
	EnvironmentVariables Optional[map[string]string]
	VolumeMounts         Optional[map[string]*VolumeMount]
	TimeToStopDefault    Optional[int64]
	TimeToStopInstance   Optional[*int64]
	Networking           Optional[map[string]Networking]
	Resources            Optional[Resources] // keys that are nil are not set
	ComputeQueue         Optional[string]
	StatusRequested      Optional[Desired]
}

// names lists the fields that p sets, as Pod.Modified has them.
func (p Patch) names() []string {
	var names []string
	add := func(name string, set bool) {
		if set {
			names = append(names, name)
		}
	}
	add("pod_id", p.ID.Set)
	add("image", p.Image.Set)
	add("template", p.Template.Set)
	add("description", p.Description.Set)
	add("command", p.Command.Set)
	add("arguments", p.Arguments.Set)
	add("environment_variables", p.EnvironmentVariables.Set)
	add("volume_mounts", p.VolumeMounts.Set)
	add("time_to_stop_default", p.TimeToStopDefault.Set)
	add("time_to_stop_instance", p.TimeToStopInstance.Set)
	add("networking", p.Networking.Set)
	add("compute_queue", p.ComputeQueue.Set)
	add("status_requested", p.StatusRequested.Set)
	for _, key := range ResourceKeys {
		add("resources."+string(key), p.Resources.Set && *p.Resources.Value.Field(key) != nil)
	}
	return names
}

// apply lays the fields that p sets over spec.
func (p Patch) apply(spec *Spec) {
	set(&spec.Image, p.Image)
	set(&spec.Template, p.Template)
	set(&spec.Description, p.Description)
	set(&spec.Command, p.Command)
	set(&spec.Arguments, p.Arguments)
	set(&spec.EnvironmentVariables, p.EnvironmentVariables)
	set(&spec.TimeToStopDefault, p.TimeToStopDefault)
	set(&spec.TimeToStopInstance, p.TimeToStopInstance)
	set(&spec.Networking, p.Networking)
	set(&spec.ComputeQueue, p.ComputeQueue)
	if p.Resources.Set {
		spec.Resources = p.Resources.Value.Over(spec.Resources)
	}
	if p.VolumeMounts.Set {
		spec.VolumeMounts = keepMountPaths(p.VolumeMounts.Value, spec.VolumeMounts)
	}
}

func set[T any](field *T, value Optional[T]) {
	if value.Set {
		*field = value.Value
	}
}

// keepMountPaths fills in the mount path of mounts that come back keyed by
// volume id without one, as clients that know only the other form send them.
func keepMountPaths(sent, stored map[string]*VolumeMount) map[string]*VolumeMount {
	for key, mount := range sent {
		known := stored[key]
		if KeyedByPath(key) || mount == nil || mount.MountPath != nil || known == nil {
			continue
		}
		mount.MountPath = known.MountPath
	}
	return sent
}

// New returns the pod that caller asks for with patch, in the status that its
// wish calls for, with every default filled in. Its template is as the user
// wrote it. The uid tells this life of the pod id from others.
//
// Errors: KindInvalid naming every field at fault.
func New(caller Caller, tenant Tenant, patch Patch, rules Rules, uid string, now time.Time) (Pod, error) {
	if err := InvalidFields(rules.checkNew(patch)); err != nil {
		return Pod{}, err
	}
	pod := Pod{
		TenantID:        caller.TenantID,
		SiteID:          caller.SiteID,
		ID:              patch.ID.Value,
		UID:             uid,
		Spec:            rules.defaultSpec(),
		Status:          StatusStopped,
		StatusRequested: DesiredOn,
		K8sName:         Name(caller.SiteID, caller.TenantID, patch.ID.Value),
		CreationTS:      now,
		UpdateTS:        now,
		StatusSince:     now,
	}
	pod.Modified = mergeNames(nil, patch.names())
	patch.apply(&pod.Spec)
	set(&pod.StatusRequested, patch.StatusRequested)
	if pod.StatusRequested == DesiredRestart {
		pod.StatusRequested = DesiredOn
	}
	if pod.StatusRequested == DesiredOn {
		pod.Status = StatusRequested
		pod.Instance = 1
	}
	pod.Networking = WithURLs(pod.Networking, pod.ID, tenant.PodsDomain)
	return pod, nil
}

// Update returns p with what patch sets, and its URLs made anew. The wish is
// not touched: see the store's moves. UpdateTS and the time to stop stay as
// they are too.
//
// Errors: KindInvalid naming every field at fault.
func (p Pod) Update(tenant Tenant, patch Patch, rules Rules) (Pod, error) {
	if err := InvalidFields(rules.checkUpdate(patch, p)); err != nil {
		return Pod{}, err
	}
	p.Spec = p.Clone()
	patch.apply(&p.Spec)
	p.Modified = mergeNames(p.Modified, patch.names())
	p.Networking = WithURLs(p.Networking, p.ID, tenant.PodsDomain)
	return p, nil
}

func mergeNames(have, add []string) []string {
	names := slices.Concat(have, add)
	slices.Sort(names)
	return slices.Compact(names)
}
