package pods

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// maxDifferences is how many changes one action-log line names.
const maxDifferences = 8

// Diff lists what differs between two specs, leaf by leaf as
// "resources.cpu_limit: 2000→3000". The values of environment variables are
// never shown.
func Diff(before, after Spec) []string {
	var differences []string
	walk("", before.document(), after.document(), func(path string, old, now any) {
		differences = append(differences, fmt.Sprintf("%s: %s→%s", path, show(old), show(now)))
	})
	for _, name := range changedKeys(before.EnvironmentVariables, after.EnvironmentVariables) {
		differences = append(differences, fmt.Sprintf("environment_variables.%s: ***→***", name))
	}
	return differences
}

// ActionUpdated is logged when user updates a pod; it names at most eight of
// the differences.
func ActionUpdated(user string, differences []string) string {
	text := fmt.Sprintf("'%s' updated pod", user)
	separator := ": "
	for i, difference := range differences {
		if i == maxDifferences {
			return fmt.Sprintf("%s, and %d more", text, len(differences)-i)
		}
		text += separator + difference
		separator = ", "
	}
	return text
}

// document returns the fields of s under their API names, without the
// environment.
func (s Spec) document() map[string]any {
	data, err := json.Marshal(map[string]any{
		"image": s.Image, "template": s.Template, "description": s.Description,
		"command": s.Command, "arguments": s.Arguments, "volume_mounts": s.VolumeMounts,
		"time_to_stop_default": s.TimeToStopDefault, "time_to_stop_instance": s.TimeToStopInstance,
		"networking": s.Networking, "resources": s.Resources, "compute_queue": s.ComputeQueue,
	})
	var fields map[string]any
	if err == nil {
		err = json.Unmarshal(data, &fields)
	}
	if err != nil {
		panic(err) // strings, numbers and maps of them always encode
	}
	return fields
}

func walk(path string, before, after any, report func(path string, before, after any)) {
	old, oldIsMap := before.(map[string]any)
	now, nowIsMap := after.(map[string]any)
	if !oldIsMap || !nowIsMap {
		if !reflect.DeepEqual(before, after) {
			report(path, before, after)
		}
		return
	}
	for _, key := range changedKeys(old, now) {
		next := key
		if path != "" {
			next = path + "." + key
		}
		walk(next, old[key], now[key], report)
	}
}

// changedKeys lists the keys under which a and b differ, in order.
func changedKeys[T any](a, b map[string]T) []string {
	keys := map[string]bool{}
	for _, m := range []map[string]T{a, b} {
		for key := range m {
			old, had := a[key]
			now, has := b[key]
			if had != has || !reflect.DeepEqual(old, now) {
				keys[key] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(keys))
}

// show renders a value for people, cut to a readable length.
func show(value any) string {
	const longest = 60
	data, err := json.Marshal(value)
	if err != nil {
		return "?"
	}
	runes := []rune(string(data))
	if text, ok := value.(string); ok {
		runes = []rune(text)
	}
	if len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return string(runes)
}
