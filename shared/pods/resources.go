package pods

// Resources bounds what one pod may use. It is stored and shown as one JSON
// document, so it carries the JSON names of the API. A nil field is not set;
// a pod's fields are all set once WithDefaults has run.
type Resources struct {
	CPURequest *int64 `json:"cpu_request"` // thousandths of a core
	CPULimit   *int64 `json:"cpu_limit"`   // thousandths of a core
	MemRequest *int64 `json:"mem_request"` // MiB
	MemLimit   *int64 `json:"mem_limit"`   // MiB
	GPUs       *int64 `json:"gpus"`
}

// ResourceKey is the JSON name of one field of Resources.
type ResourceKey string

// ResourceKeys lists the fields of Resources in the order users see them.
var ResourceKeys = []ResourceKey{"cpu_request", "cpu_limit", "mem_request", "mem_limit", "gpus"}

// Field returns the field of r with that name, nil for an unknown name.
func (r *Resources) Field(key ResourceKey) **int64 {
	switch key {
	case "cpu_request":
		return &r.CPURequest
	case "cpu_limit":
		return &r.CPULimit
	case "mem_request":
		return &r.MemRequest
	case "mem_limit":
		return &r.MemLimit
	case "gpus":
		return &r.GPUs
	}
	return nil
}

// Over returns r with the fields that are nil taken from base.
func (r Resources) Over(base Resources) Resources {
	for _, key := range ResourceKeys {
		if field := r.Field(key); *field == nil {
			*field = *base.Field(key)
		}
	}
	return r
}
