package document

import (
	"errors"
	"strings"

	"github.com/pods-service/pods/shared/pods"
)

// body is where the fields of a request are.
var body = []string{"body"}

// Pod reads the body of a request that creates or updates a pod. Which fields
// it may set is for pods.New and Pod.Update to say.
//
// Errors: KindInvalid naming every field that cannot be read.
func Pod(data []byte) (pods.Patch, error) {
	var errs []pods.FieldError
	o := parse(data, body, &errs)
	patch := o.definition()
	patch.ID = o.text("pod_id")
	patch.StatusRequested = wish(o.text("status_requested"))
	o.close()
	return patch, pods.InvalidFields(errs)
}

func wish(text pods.Optional[string]) pods.Optional[pods.Desired] {
	return pods.Optional[pods.Desired]{Set: text.Set, Value: pods.Desired(strings.ToUpper(text.Value))}
}

// definition reads the fields that pods and templates share.
func (o object) definition() pods.Patch {
	return pods.Patch{
		Image:                o.text("image"),
		Template:             o.text("template"),
		Description:          o.text("description"),
		Command:              o.texts("command"),
		Arguments:            o.texts("arguments"),
		EnvironmentVariables: o.textMap("environment_variables"),
		VolumeMounts:         o.volumeMounts(),
		TimeToStopDefault:    o.number("time_to_stop_default"),
		TimeToStopInstance:   o.numberOrNull("time_to_stop_instance"),
		Networking:           o.networking(),
		Resources:            o.resources(),
		ComputeQueue:         o.text("compute_queue"),
	}
}

func (o object) resources() pods.Optional[pods.Resources] {
	raw, found := o.take("resources")
	if !found {
		return pods.Optional[pods.Resources]{}
	}
	var resources pods.Resources
	entry := parse(raw, o.at("resources"), o.errs)
	for _, key := range pods.ResourceKeys {
		*resources.Field(key) = entry.numberOrNull(string(key)).Value
	}
	entry.close()
	return pods.Some(resources)
}

func (o object) volumeMounts() pods.Optional[map[string]*pods.VolumeMount] {
	mounts := map[string]*pods.VolumeMount{}
	set := o.objects("volume_mounts", true, func(key string, entry *object) {
		if entry == nil {
			mounts[key] = nil
			return
		}
		mounts[key] = entry.volumeMount(key)
	})
	return pods.Optional[map[string]*pods.VolumeMount]{Set: set, Value: mounts}
}

// volumeMount reads the form that the key calls for. Who added the mount is
// accepted, because clients send back what they were shown, and ignored.
func (o object) volumeMount(key string) *pods.VolumeMount {
	o.take("mounted_by")
	mount := &pods.VolumeMount{Type: o.text("type").Value, SubPath: o.text("sub_path").Value}
	if !pods.KeyedByPath(key) {
		mount.MountPath = pointer(o.text("mount_path"))
		return mount
	}
	mount.SourceID = pointer(o.text("source_id"))
	mount.ReadOnly = pointer(o.flag("read_only"))
	return mount
}

func pointer[T any](value pods.Optional[T]) *T {
	if !value.Set {
		return nil
	}
	return &value.Value
}

func (o object) networking() pods.Optional[map[string]pods.Networking] {
	networking := map[string]pods.Networking{}
	set := o.objects("networking", false, func(key string, entry *object) { networking[key] = entry.networkingEntry() })
	return pods.Optional[map[string]pods.Networking]{Set: set, Value: networking}
}

// networkingEntry reads one entry; what it leaves out has its default. A url is
// accepted, because clients send back what they were shown, and ignored.
func (o object) networkingEntry() pods.Networking {
	n := pods.NewNetworking()
	set(&n.Protocol, o.text("protocol"))
	n.Protocol = strings.ToLower(n.Protocol)
	if port := o.number("port"); port.Set {
		n.Port = int(max(-1, min(port.Value, 1<<20)))
	}
	o.take("url")
	set(&n.IPAllowList, o.list("ip_allow_list"))
	set(&n.TapisAuth, o.flag("tapis_auth"))
	set(&n.TapisAuthResponseHeaders, o.textMap("tapis_auth_response_headers"))
	set(&n.TapisAuthAllowedUsers, o.list("tapis_auth_allowed_users"))
	set(&n.TapisAuthReturnPath, o.text("tapis_auth_return_path"))
	set(&n.CORSAllowOrigins, o.list("cors_allow_origins"))
	set(&n.CORSAllowMethods, o.list("cors_allow_methods"))
	set(&n.CORSAllowHeaders, o.list("cors_allow_headers"))
	set(&n.CORSAllowCredentials, o.flag("cors_allow_credentials"))
	if age := o.number("cors_max_age"); age.Set {
		n.CORSMaxAge = int(max(-1, min(age.Value, 1<<20)))
	}
	set(&n.TapisUIURI, o.text("tapis_ui_uri"))
	set(&n.TapisUIURIRedirect, o.flag("tapis_ui_uri_redirect"))
	set(&n.TapisUIURIDescription, o.text("tapis_ui_uri_description"))
	return n
}

func set[T any](field *T, value pods.Optional[T]) {
	if value.Set {
		*field = value.Value
	}
}

// Permission reads the body that gives a user a level.
//
// Errors: KindInvalid naming every field that is missing or cannot be read.
func Permission(data []byte) (user, level string, err error) {
	var errs []pods.FieldError
	o := parse(data, body, &errs)
	user, level = o.required("user"), o.required("level")
	o.close()
	return user, level, pods.InvalidFields(errs)
}

func (o object) required(key string) string {
	if _, found := o.fields[key]; !found && o.fields != nil {
		o.take(key)
		o.fail(key, "%s is required", key)
		return ""
	}
	return o.text(key).Value
}

// Both joins the problems of reading a request with those of its values, so
// that a user sees all of them at once. A field that could not be read is
// reported for that alone.
func Both(reading, checking error) error {
	var fields []pods.FieldError
	failed := map[string]bool{}
	for _, err := range []error{reading, checking} {
		if err == nil {
			continue
		}
		e, ok := errors.AsType[*pods.Error](err)
		if !ok || e.Kind != pods.KindInvalid || len(e.Fields) == 0 {
			return err
		}
		for _, field := range e.Fields {
			if name := fieldName(field); !failed[name] {
				fields = append(fields, field)
			}
		}
		for _, field := range fields {
			failed[fieldName(field)] = true
		}
	}
	return pods.InvalidFields(fields)
}

func fieldName(field pods.FieldError) string {
	return strings.Join(field.Location[:min(2, len(field.Location))], ",")
}
