package manifests

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/templates"
)

func container(pod pods.Pod, creds pods.Credentials, profile templates.Profile, options Options) (corev1.Container, error) {
	security, err := containerSecurity(profile, options)
	if err != nil {
		return corev1.Container{}, err
	}
	resources, err := requirements(pod, options)
	if err != nil {
		return corev1.Container{}, err
	}
	return corev1.Container{
		Name:            ContainerName,
		Image:           pod.Image,
		ImagePullPolicy: options.pullPolicy(pod.Image),
		Command:         creds.ExpandAll(pod.Command),
		Args:            creds.ExpandAll(pod.Arguments),
		Env:             environment(pod.EnvironmentVariables, creds),
		Ports:           containerPorts(pod.Networking),
		Resources:       resources,
		SecurityContext: security,
	}, nil
}

// rootCapabilities are those that images starting as root commonly need. All
// are within the "baseline" level of Kubernetes' pod security standards.
var rootCapabilities = []corev1.Capability{
	"CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID",
}

func containerSecurity(profile templates.Profile, options Options) (*corev1.SecurityContext, error) {
	security := &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
	switch profile {
	case "", templates.ProfileRestricted:
		if options.RunAsNonRoot {
			security.RunAsNonRoot = new(true)
		}
	case templates.ProfileRoot:
		security.Capabilities.Add = slices.Clone(rootCapabilities)
	default:
		return nil, pods.Invalid("The profile %q is not known on this installation.", profile)
	}
	return security, nil
}

// internalPrefix marks variables that speak to the service, not to the
// container.
const internalPrefix = "_TAPIS_INTERNAL_"

// apiServerVariables are what Kubernetes tells every container about its API
// server. They are blanked: a user's container has no business there.
var apiServerVariables = []string{
	"KUBERNETES_PORT", "KUBERNETES_PORT_443_TCP", "KUBERNETES_PORT_443_TCP_ADDR",
	"KUBERNETES_PORT_443_TCP_PORT", "KUBERNETES_PORT_443_TCP_PROTO",
	"KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "KUBERNETES_SERVICE_PORT_HTTPS",
}

// environment returns the variables in alphabetical order. A user's own value
// for one of apiServerVariables stays.
func environment(variables map[string]string, creds pods.Credentials) []corev1.EnvVar {
	values := make(map[string]string, len(variables)+len(apiServerVariables))
	for _, name := range apiServerVariables {
		values[name] = ""
	}
	for name, value := range variables {
		if !strings.HasPrefix(name, internalPrefix) {
			values[name] = creds.Expand(value)
		}
	}
	env := make([]corev1.EnvVar, 0, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		env = append(env, corev1.EnvVar{Name: name, Value: values[name]})
	}
	return env
}
