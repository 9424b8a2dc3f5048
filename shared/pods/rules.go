package pods

import (
	"fmt"
)

// Rules holds the limits that an operator may set. Make one with NewRules.
type Rules struct {
	Defaults         Resources // every field set
	Min              Resources // every field set
	Max              Resources // every field set
	Queues           []Queue
	MaxNetworking    int   // entries in one pod
	TimeToStop       int64 // default, seconds
	MinTimeToStop    int64 // seconds
	MaxTimeToStop    int64 // seconds
	MaxEnvironment   int   // bytes of all names and values of one pod
	MaxCommandLength int   // bytes of all parts of command and arguments each
}

// NewRules returns the published limits.
func NewRules() Rules {
	return Rules{
		Defaults:         resources(250, 2000, 256, 3072, 0),
		Min:              resources(250, 250, 256, 256, 0),
		Max:              resources(6000, 6000, 12288, 12288, 1),
		Queues:           []Queue{{Name: DefaultQueue}},
		MaxNetworking:    4,
		TimeToStop:       12 * 60 * 60,
		MinTimeToStop:    300,
		MaxTimeToStop:    10 * 365 * 24 * 60 * 60,
		MaxEnvironment:   256 << 10,
		MaxCommandLength: 64 << 10,
	}
}

func resources(cpuRequest, cpuLimit, memRequest, memLimit, gpus int64) Resources {
	return Resources{
		CPURequest: &cpuRequest, CPULimit: &cpuLimit,
		MemRequest: &memRequest, MemLimit: &memLimit, GPUs: &gpus,
	}
}

// defaultSpec returns the spec of a pod of which the user says nothing.
func (r Rules) defaultSpec() Spec {
	return Spec{
		EnvironmentVariables: map[string]string{},
		VolumeMounts:         map[string]*VolumeMount{},
		TimeToStopDefault:    r.TimeToStop,
		Networking:           map[string]Networking{DefaultNetworkKey: NewNetworking()},
		Resources:            r.Defaults.clone(),
		ComputeQueue:         DefaultQueue,
	}
}

func (r Resources) clone() Resources {
	for _, key := range ResourceKeys {
		if field := r.Field(key); *field != nil {
			*field = new(**field)
		}
	}
	return r
}

// CheckMerged checks what holds only once a pod and its template chain are one:
// an image, limits not below requests, a known queue that has the GPUs, not too
// many ports.
//
// Errors: KindInvalid naming every field at fault.
func (r Rules) CheckMerged(spec Spec) error {
	c := checker{rules: r}
	c.require(spec.Image != "", "image", "image is required if template is not provided.")
	c.resourceOrder(spec.Resources)
	c.networkingCount(spec.Networking)
	c.queue(spec.ComputeQueue)
	c.gpus(spec)
	return InvalidFields(c.errs)
}

// CheckDefinition checks the fields that a template or a pod sets, each by
// itself.
func (r Rules) CheckDefinition(patch Patch) error {
	c := checker{rules: r}
	c.patch(patch)
	return InvalidFields(c.errs)
}

func (r Rules) checkNew(patch Patch) []FieldError {
	c := checker{rules: r}
	c.podID(patch.ID)
	c.require(patch.Image.Value != "" || patch.Template.Value != "", "image", "image is required if template is not provided.")
	c.patch(patch)
	if patch.Template.Value == "" && patch.Resources.Set {
		c.resourceOrder(patch.Resources.Value.Over(r.Defaults))
	}
	return c.errs
}

func (r Rules) checkUpdate(patch Patch, stored Pod) []FieldError {
	c := checker{rules: r}
	c.require(!patch.ID.Set, "pod_id", "pod_id cannot be changed.")
	c.patch(patch)
	if patch.Resources.Set && stored.Template == "" {
		c.resourceOrder(patch.Resources.Value.Over(stored.Resources))
	}
	return c.errs
}

// checker gathers everything wrong with a request.
type checker struct {
	rules Rules
	errs  []FieldError
}

func (c *checker) require(ok bool, field, format string, args ...any) {
	if !ok {
		c.errs = append(c.errs, FieldError{Location: []string{"body", field}, Message: fmt.Sprintf(format, args...)})
	}
}

func (c *checker) resourceOrder(r Resources) {
	c.order("cpu_request", "cpu_limit", "cpu_x", r.CPURequest, r.CPULimit)
	c.order("mem_request", "mem_limit", "mem_x", r.MemRequest, r.MemLimit)
}

func (c *checker) order(requestKey, limitKey, pair string, request, limit *int64) {
	if request != nil && limit != nil {
		c.require(*request <= *limit, "resources", "resources.%s found %s(%d) > %s(%d)", pair, requestKey, *request, limitKey, *limit)
	}
}

func (c *checker) networkingCount(networking map[string]Networking) {
	c.require(len(networking) <= c.rules.MaxNetworking, "networking",
		"networking dictionary may only contain up to %d stanzas", c.rules.MaxNetworking)
}

func (c *checker) queue(queue string) {
	_, found := c.rules.Queue(queue)
	c.require(found, "compute_queue", "compute_queue must be in compute_queues list: %v", c.rules.queueNames())
}

// gpus refuses what no node of the queue can give.
func (c *checker) gpus(spec Spec) {
	queue, found := c.rules.Queue(spec.ComputeQueue)
	if asked := spec.Resources.GPUs; found && asked != nil {
		c.require(*asked <= queue.MaxGPUs(), "resources",
			"resources.gpus found %d, but a pod of compute queue '%s' can have %d. Ask for less, or name another compute_queue.",
			*asked, queue.Name, queue.MaxGPUs())
	}
}
