package manifests

import "slices"

// object is a Kubernetes object of any kind.
type object map[string]any

func (o object) kind() string { return text(o, "kind") }
func (o object) name() string { return text(o.child("metadata"), "name") }

// String returns what a person calls the object.
func (o object) String() string {
	if namespace := text(o.child("metadata"), "namespace"); namespace != "" {
		return o.kind() + " " + namespace + "/" + o.name()
	}
	return o.kind() + " " + o.name()
}

// child returns the object at the end of the path of fields. Where there is
// none it returns nil, in which every field can be looked up.
func (o object) child(path ...string) object {
	for _, field := range path {
		next, _ := o[field].(map[string]any)
		o = next
	}
	return o
}

// containers returns the containers of a Deployment.
func (o object) containers() []object {
	list, _ := o.child("spec", "template", "spec")["containers"].([]any)
	var containers []object
	for _, element := range list {
		if container, ok := element.(map[string]any); ok {
			containers = append(containers, container)
		}
	}
	return containers
}

func text(o object, field string) string {
	value, _ := o[field].(string)
	return value
}

// arrange separates the namespaces and definitions of kinds, which must be there
// first, from all other objects, and puts these in the order in which they can
// be created: a webhook without its program lets nobody create what it is
// responsible for, and programs start sooner when all that they read is there.
func arrange(objects []object) (definitions, rest []object) {
	last := []string{"ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "Deployment"}
	for _, object := range objects {
		if kind := object.kind(); kind == "Namespace" || kind == "CustomResourceDefinition" {
			definitions = append(definitions, object)
			continue
		}
		rest = append(rest, object)
	}
	slices.SortStableFunc(rest, func(a, b object) int {
		return slices.Index(last, a.kind()) - slices.Index(last, b.kind())
	})
	return definitions, rest
}
