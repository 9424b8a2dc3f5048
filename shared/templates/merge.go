package templates

import (
	"context"
	"maps"
	"slices"

	"github.com/pods-service/pods/shared/permissions"
	"github.com/pods-service/pods/shared/pods"
)

// Environment variables that steer the merge; they never reach a container.
const (
	useTemplateEnvironment = "_TAPIS_INTERNAL_USE_TEMPLATE_ENVS"
	useTemplateVolumes     = "_TAPIS_INTERNAL_USE_TEMPLATE_VOLUMES"
)

// Derived is a pod merged with its chain of templates.
type Derived struct {
	Pod     pods.Pod
	Profile Profile
}

// Deriver merges pods with their templates.
type Deriver struct {
	newest  Source
	pinned  Source
	domains func(tenantID string) string
}

// NewDeriver returns a Deriver that reads the tags of pods, whose references are
// pinned, from pinned, which may remember them, and all else from newest;
// domains returns the domain of a tenant's pods.
func NewDeriver(newest, pinned Source, domains func(tenantID string) string) *Deriver {
	return &Deriver{newest: newest, pinned: pinned, domains: domains}
}

// Derive returns pod with what its templates bring: fields that the user set
// win, then the closest template, then deeper ones, then the defaults. A pod
// without a template is returned as it is.
//
// Errors: those of Resolve.
func (d *Deriver) Derive(ctx context.Context, pod pods.Pod) (Derived, error) {
	if pod.Template == "" {
		return Derived{Pod: pod, Profile: ProfileRestricted}, nil
	}
	chain, err := Resolve(ctx, d.pinned, pod.Template)
	if err != nil {
		return Derived{}, err
	}
	profile, networking := imageProfile(pod, chain), d.networking(pod, chain)
	pod.Spec = merge(pod, chain)
	pod.Networking = networking
	return Derived{Pod: pod, Profile: profile}, nil
}

// Networking returns the networking of the pod that Derive returns, without
// merging anything else.
//
// Errors: those of Resolve.
func (d *Deriver) Networking(ctx context.Context, pod pods.Pod) (map[string]pods.Networking, error) {
	if pod.Template == "" {
		return pod.Networking, nil
	}
	chain, err := Resolve(ctx, d.pinned, pod.Template)
	if err != nil {
		return nil, err
	}
	return d.networking(pod, chain), nil
}

func (d *Deriver) networking(pod pods.Pod, chain []Tag) map[string]pods.Networking {
	return pods.WithURLs(mergeNetworking(pod, chain), pod.ID, d.domains(pod.TenantID))
}

// Pin returns reference with the tag and timestamp that it means now, and the
// chain of its templates. The caller needs READ on every one.
//
// Errors: those of Resolve, and Unknown for a template that the caller may not
// see.
func (d *Deriver) Pin(ctx context.Context, caller pods.Caller, reference string) (string, []Tag, error) {
	chain, err := Resolve(ctx, d.newest, reference)
	if err != nil {
		return "", nil, err
	}
	for _, tag := range chain {
		if permissions.Check(caller, tag.Template.Object(), permissions.Read) != nil {
			return "", nil, Unknown(tag.Template.ID)
		}
	}
	return chain[0].Reference.String(), chain, nil
}

// imageProfile returns the profile of the template that brings the image. An
// image of the user's own gets no relaxation from a template made for another.
func imageProfile(pod pods.Pod, chain []Tag) Profile {
	if pod.HasModified("image") && pod.Image != "" {
		return ProfileRestricted
	}
	for _, tag := range chain {
		if tag.Definition.Image.Set {
			return tag.Template.Profile
		}
	}
	return ProfileRestricted
}

// merge merges everything but the networking.
func merge(pod pods.Pod, chain []Tag) pods.Spec {
	spec := pod.Spec
	spec.EnvironmentVariables, spec.VolumeMounts, spec.Networking = nil, nil, nil // made anew, not to be copied
	spec = spec.Clone()
	take(&spec.Image, pod.HasModified("image") && pod.Image != "", chain, func(p pods.Patch) pods.Optional[string] { return p.Image })
	take(&spec.Description, pod.HasModified("description"), chain, func(p pods.Patch) pods.Optional[string] { return p.Description })
	take(&spec.Command, pod.HasModified("command"), chain, func(p pods.Patch) pods.Optional[[]string] { return p.Command })
	take(&spec.Arguments, pod.HasModified("arguments"), chain, func(p pods.Patch) pods.Optional[[]string] { return p.Arguments })
	take(&spec.ComputeQueue, pod.HasModified("compute_queue"), chain, func(p pods.Patch) pods.Optional[string] { return p.ComputeQueue })
	take(&spec.TimeToStopDefault, pod.HasModified("time_to_stop_default"), chain, func(p pods.Patch) pods.Optional[int64] { return p.TimeToStopDefault })
	take(&spec.TimeToStopInstance, pod.HasModified("time_to_stop_instance"), chain, func(p pods.Patch) pods.Optional[*int64] { return p.TimeToStopInstance })
	for _, key := range pods.ResourceKeys {
		mergeResource(&spec, pod, chain, key)
	}
	mergeEnvironment(&spec, pod, chain)
	mergeVolumes(&spec, pod, chain)
	return spec
}

// take sets field from the closest template that sets it, unless the pod does.
func take[T any](field *T, podSets bool, chain []Tag, value func(pods.Patch) pods.Optional[T]) {
	if podSets {
		return
	}
	for _, tag := range chain {
		if v := value(tag.Definition); v.Set {
			*field = v.Value
			return
		}
	}
}

func mergeResource(spec *pods.Spec, pod pods.Pod, chain []Tag, key pods.ResourceKey) {
	if pod.HasModified("resources." + string(key)) {
		return
	}
	for _, tag := range chain {
		resources := tag.Definition.Resources.Value
		if value := *resources.Field(key); value != nil {
			*spec.Resources.Field(key) = new(*value)
			return
		}
	}
}

func mergeEnvironment(spec *pods.Spec, pod pods.Pod, chain []Tag) {
	merged := map[string]string{}
	if pod.EnvironmentVariables[useTemplateEnvironment] != "False" {
		for _, tag := range slices.Backward(chain) {
			maps.Copy(merged, tag.Definition.EnvironmentVariables.Value)
		}
	}
	maps.Copy(merged, pod.EnvironmentVariables)
	spec.EnvironmentVariables = merged
}

func mergeVolumes(spec *pods.Spec, pod pods.Pod, chain []Tag) {
	merged := map[string]*pods.VolumeMount{}
	if pod.EnvironmentVariables[useTemplateVolumes] != "False" {
		for _, tag := range slices.Backward(chain) {
			maps.Copy(merged, tag.Definition.VolumeMounts.Value)
		}
	}
	maps.Copy(merged, pod.VolumeMounts)
	maps.DeleteFunc(merged, func(_ string, mount *pods.VolumeMount) bool { return mount == nil })
	spec.VolumeMounts = merged
}

// mergeNetworking lays the pod's entries over the templates'. The entry that
// every pod has by default gives way as soon as a template defines any.
func mergeNetworking(pod pods.Pod, chain []Tag) map[string]pods.Networking {
	merged := map[string]pods.Networking{}
	for _, tag := range slices.Backward(chain) {
		maps.Copy(merged, tag.Definition.Networking.Value)
	}
	if pod.HasModified("networking") || len(merged) == 0 {
		maps.Copy(merged, pod.Networking)
	}
	return merged
}
