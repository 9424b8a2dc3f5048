package pods

import (
	"regexp"
	"slices"
	"strings"
)

var (
	podIDPattern = regexp.MustCompile(`^[a-z][a-z0-9]+$`)
	queuePattern = regexp.MustCompile(`^[a-z0-9]+$`)
)

// Reserved are the words that cannot name a pod: they are segments of the
// API's own paths, today's and likely ones.
var Reserved = []string{
	"admin", "auth", "catalog", "catalogs", "console", "image", "images", "jupyter", "metrics", "node", "nodes",
	"route", "routes", "secret", "secrets", "snapshot", "snapshots", "stack", "stacks", "template", "templates",
	"usage", "volume", "volumes",
}

func (c *checker) podID(id Optional[string]) {
	switch {
	case !id.Set:
		c.require(false, "pod_id", "pod_id is required")
	case !podIDPattern.MatchString(id.Value):
		c.require(false, "pod_id", "pod_id must be lowercase alphanumeric. First character must be alpha.")
	case len(id.Value) < 3 || len(id.Value) > 64:
		c.require(false, "pod_id", "pod_id length must be between 3-64 characters. Inputted length: %d", len(id.Value))
	case slices.Contains(Reserved, id.Value):
		c.require(false, "pod_id", "pod_id must not be a reserved word: %s", strings.Join(Reserved, ", "))
	}
}

// patch checks each field that is set by itself.
func (c *checker) patch(p Patch) {
	c.image(p.Image.Value)
	c.text("template", p.Template.Value)
	c.description(p.Description.Value)
	c.list("command", p.Command.Value)
	c.list("arguments", p.Arguments.Value)
	c.environment(p.EnvironmentVariables.Value)
	c.mounts(p.VolumeMounts.Value)
	if p.TimeToStopDefault.Set {
		c.timeToStop("time_to_stop_default", p.TimeToStopDefault.Value)
	}
	if p.TimeToStopInstance.Value != nil {
		c.timeToStop("time_to_stop_instance", *p.TimeToStopInstance.Value)
	}
	c.networking(p.Networking.Value)
	c.bounds(p.Resources.Value)
	if p.ComputeQueue.Set {
		if queuePattern.MatchString(p.ComputeQueue.Value) {
			c.queue(p.ComputeQueue.Value)
		} else {
			c.require(false, "compute_queue", "compute_queue must be lowercase alphanumeric")
		}
	}
	if p.StatusRequested.Set {
		c.require(slices.Contains([]Desired{DesiredOn, DesiredOff, DesiredRestart}, p.StatusRequested.Value),
			"status_requested", "status_requested must be in ['ON', 'OFF', 'RESTART']")
	}
}

func (c *checker) image(image string) {
	// A digest has a colon of its own and stands behind an @; so has the port of a
	// registry, before the last slash.
	name, _, _ := strings.Cut(image, "@")
	c.require(strings.Count(name[strings.LastIndexByte(name, '/')+1:], ":") <= 1, "image", "image cannot have more than one ':'")
	c.require(!strings.ContainsFunc(image, func(r rune) bool { return r <= ' ' || r > '~' }), "image",
		"image may only contain ASCII characters without spaces")
	c.require(len(image) <= 512, "image", "image must be at most 512 characters")
}

func (c *checker) description(text string) {
	c.require(len(text) < 404, "description", "description field must be less than 404 characters. Inputted length: %d", len(text))
	c.ascii("description", "description", text)
}

func (c *checker) ascii(field, name, text string) {
	c.require(!strings.ContainsFunc(text, func(r rune) bool { return r > 127 }), field,
		"%s field may only contain ASCII characters", name)
	c.text(field, text)
}

// text refuses the NUL byte, which neither the database nor a process can hold.
func (c *checker) text(field, text string) {
	c.require(!strings.Contains(text, "\x00"), field, "%s cannot contain a NUL byte", field)
}

func (c *checker) list(field string, items []string) {
	size := 0
	for _, item := range items {
		size += len(item)
	}
	c.require(size <= c.rules.MaxCommandLength, field, "%s must be at most %d bytes in all", field, c.rules.MaxCommandLength)
	c.text(field, strings.Join(items, ""))
}

func (c *checker) environment(variables map[string]string) {
	const field = "environment_variables"
	size := 0
	for name, value := range variables {
		size += len(name) + len(value)
		c.require(name != "", field, "environment_variables keys cannot be empty")
		// Kubernetes takes any printable ASCII but the equals sign.
		c.require(!strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' || r == '=' }), field,
			"environment_variables keys may only contain printable ASCII characters other than '='. Received: %q", name)
		c.require(!strings.Contains(value, "\x00"), field, "environment_variables %q cannot contain a NUL byte", name)
	}
	c.require(size <= c.rules.MaxEnvironment, field, "environment_variables must be at most %d bytes in all", c.rules.MaxEnvironment)
}

func (c *checker) timeToStop(field string, seconds int64) {
	c.require(seconds == -1 || seconds >= c.rules.MinTimeToStop, field,
		"%s must be -1 or be greater than %d seconds. Received: %d", field, c.rules.MinTimeToStop, seconds)
	c.require(seconds <= c.rules.MaxTimeToStop, field, "%s must be at most %d seconds. Received: %d", field, c.rules.MaxTimeToStop, seconds)
}

func (c *checker) bounds(r Resources) {
	for _, key := range ResourceKeys {
		value := *r.Field(key)
		if value == nil {
			continue
		}
		pair := string(key)
		if prefix, _, found := strings.Cut(pair, "_"); found {
			pair = prefix + "_x"
		}
		low, high := **c.rules.Min.Field(key), **c.rules.Max.Field(key)
		c.require(*value >= low && *value <= high, "resources",
			"resources.%s out of bounds. Received: %s=%d. Must be between %d and %d", pair, key, *value, low, high)
	}
}
