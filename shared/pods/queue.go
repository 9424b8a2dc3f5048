package pods

import "slices"

// DefaultQueue is the compute queue of pods that name none. It is always there.
const DefaultQueue = "default"

// Queue is a compute queue: on which nodes its pods run, and which GPUs they can
// have.
type Queue struct {
	Name         string
	NodeSelector map[string]string
	Tolerations  []Toleration
	GPUs         []GPUs // used in their order
}

// Toleration lets pods run on nodes with a taint, in Kubernetes' own terms.
type Toleration struct {
	Key      string
	Operator string // "Equal" or "Exists"; empty means Equal
	Value    string
	Effect   string // "NoSchedule", "PreferNoSchedule" or "NoExecute"; empty means all
}

// GPUs are those of one kind that one pod can have.
type GPUs struct {
	Resource string // what stands for one in Kubernetes, such as "nvidia.com/gpu"
	Max      int64
}

// MaxGPUs returns how many GPUs one pod of the queue can have.
func (q Queue) MaxGPUs() int64 {
	var sum int64
	for _, gpus := range q.GPUs {
		sum += gpus.Max
	}
	return sum
}

// Queue returns the compute queue of the name.
func (r Rules) Queue(name string) (Queue, bool) {
	i := slices.IndexFunc(r.Queues, func(q Queue) bool { return q.Name == name })
	if i < 0 {
		return Queue{}, false
	}
	return r.Queues[i], true
}

// WithQueues returns r with the given compute queues. The default one is added
// if it is not among them. A pod may ask for as many GPUs as the largest queue
// has.
func (r Rules) WithQueues(queues []Queue) Rules {
	r.Queues = slices.Clone(queues)
	if _, found := r.Queue(DefaultQueue); !found {
		r.Queues = append([]Queue{{Name: DefaultQueue}}, r.Queues...)
	}
	most := *r.Max.GPUs
	for _, queue := range queues {
		most = max(most, queue.MaxGPUs())
	}
	r.Max.GPUs = &most
	return r
}

// queueNames lists the names of the compute queues.
func (r Rules) queueNames() []string {
	names := make([]string, len(r.Queues))
	for i, queue := range r.Queues {
		names[i] = queue.Name
	}
	return names
}
