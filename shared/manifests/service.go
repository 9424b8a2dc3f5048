package manifests

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/pods-service/pods/shared/pods"
)

// Service returns the ClusterIP service of pod with a port for each of its
// networking entries, nil when it has none. Entries with the same port number
// share the service port of the first: Kubernetes refuses a number twice.
func Service(pod pods.Pod, options Options) *corev1.Service {
	ports := servicePorts(pod.Networking)
	if len(ports) == 0 {
		return nil
	}
	return &corev1.Service{
		ObjectMeta: meta(pod, options),
		Spec: corev1.ServiceSpec{
			Type:     corev1.ServiceTypeClusterIP,
			Selector: Identity(pod.Ref()),
			Ports:    ports,
		},
	}
}

func servicePorts(networking map[string]pods.Networking) []corev1.ServicePort {
	var ports []corev1.ServicePort
	for _, key := range distinctPorts(networking) {
		number := int32(networking[key].Port) //nolint:gosec // at most 65535: checked when the pod was made
		ports = append(ports, corev1.ServicePort{
			Name:       portName(key),
			Protocol:   corev1.ProtocolTCP,
			Port:       number,
			TargetPort: intstr.FromInt32(number),
		})
	}
	return ports
}

func containerPorts(networking map[string]pods.Networking) []corev1.ContainerPort {
	var ports []corev1.ContainerPort
	for _, key := range distinctPorts(networking) {
		number := int32(networking[key].Port) //nolint:gosec // at most 65535: checked when the pod was made
		ports = append(ports, corev1.ContainerPort{Protocol: corev1.ProtocolTCP, ContainerPort: number})
	}
	return ports
}

// distinctPorts returns, in alphabetical order, the keys of the entries that
// are the first with their port number.
func distinctPorts(networking map[string]pods.Networking) []string {
	var keys []string
	seen := map[int]bool{}
	for _, key := range slices.Sorted(maps.Keys(networking)) {
		if number := networking[key].Port; !seen[number] {
			seen[number] = true
			keys = append(keys, key)
		}
	}
	return keys
}

// portName fits a networking key, lower-case letters and digits, into a label.
func portName(key string) string {
	if len(key) <= maxLabel {
		return key
	}
	return shorten(key, key)
}
