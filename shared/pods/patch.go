package pods

import (
	"slices"
	"time"
)

// Patch is what a user sent about a pod: at create all of it, at update just
// what is to change. Fields that are not set keep their value, or get their
// default at create. As the definition of a template tag it is stored as JSON.
type Patch struct {
	ID                   Optional[string]                  `json:"-"` // at create only
	Image                Optional[string]                  `json:"image,omitzero"`
	Template             Optional[string]                  `json:"template,omitzero"`
	Description          Optional[string]                  `json:"description,omitzero"`
	Command              Optional[[]string]                `json:"command,omitzero"`
	Arguments            Optional[[]string]                `json:"arguments,omitzero"`
	EnvironmentVariables Optional[map[string]string]       `json:"environment_variables,omitzero"`
	VolumeMounts         Optional[map[string]*VolumeMount] `json:"volume_mounts,omitzero"`
	TimeToStopDefault    Optional[int64]                   `json:"time_to_stop_default,omitzero"`
	TimeToStopInstance   Optional[*int64]                  `json:"time_to_stop_instance,omitzero"`
	Networking           Optional[map[string]Networking]   `json:"networking,omitzero"`
	Resources            Optional[Resources]               `json:"resources,omitzero"` // keys that are nil are not set
	ComputeQueue         Optional[string]                  `json:"compute_queue,omitzero"`
	StatusRequested      Optional[Desired]                 `json:"-"`
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

// Definition returns what the user has set of p, as the definition of a
// template: without what names p itself and says how it runs now.
func (p Pod) Definition() Patch {
	spec := p.Clone()
	definition := Patch{
		Image:                p.modified("image", spec.Image),
		Template:             p.modified("template", spec.Template),
		Description:          p.modified("description", spec.Description),
		Command:              Optional[[]string]{p.HasModified("command"), spec.Command},
		Arguments:            Optional[[]string]{p.HasModified("arguments"), spec.Arguments},
		EnvironmentVariables: Optional[map[string]string]{p.HasModified("environment_variables"), spec.EnvironmentVariables},
		VolumeMounts:         Optional[map[string]*VolumeMount]{p.HasModified("volume_mounts"), withoutUsers(spec.VolumeMounts)},
		TimeToStopDefault:    Optional[int64]{p.HasModified("time_to_stop_default"), spec.TimeToStopDefault},
		TimeToStopInstance:   Optional[*int64]{spec.TimeToStopInstance != nil && p.HasModified("time_to_stop_instance"), spec.TimeToStopInstance},
		Networking:           Optional[map[string]Networking]{p.HasModified("networking"), withoutURLs(spec.Networking)},
		ComputeQueue:         p.modified("compute_queue", spec.ComputeQueue),
	}
	for _, key := range ResourceKeys {
		if p.HasModified("resources." + string(key)) {
			definition.Resources.Set = true
			*definition.Resources.Value.Field(key) = *spec.Resources.Field(key)
		}
	}
	return definition
}

// modified returns text if the user has set the field, and set it to something.
func (p Pod) modified(field, text string) Optional[string] {
	return Optional[string]{p.HasModified(field) && text != "", text}
}

// apply lays the fields that p, sent by user, sets over spec.
func (p Patch) apply(spec *Spec, user string) {
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
		spec.VolumeMounts = mountedBy(user, p.VolumeMounts.Value, spec.VolumeMounts)
	}
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
		StartedBy:       caller.Username,
		CreationTS:      now,
		UpdateTS:        now,
		StatusSince:     now,
	}
	pod.Modified = mergeNames(nil, patch.names())
	patch.apply(&pod.Spec, caller.Username)
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

// Update returns p with what caller sets with patch, and its URLs made anew. The wish is
// not touched: see the store's moves. UpdateTS and the time to stop stay as
// they are too.
//
// Errors: KindInvalid naming every field at fault.
func (p Pod) Update(caller Caller, tenant Tenant, patch Patch, rules Rules) (Pod, error) {
	if err := InvalidFields(rules.checkUpdate(patch, p)); err != nil {
		return Pod{}, err
	}
	p.Spec = p.Clone()
	patch.apply(&p.Spec, caller.Username)
	p.Modified = mergeNames(p.Modified, patch.names())
	p.Networking = WithURLs(p.Networking, p.ID, tenant.PodsDomain)
	return p, nil
}

func mergeNames(have, add []string) []string {
	names := slices.Concat(have, add)
	slices.Sort(names)
	return slices.Compact(names)
}
