package manifests

// settings are the values of Knative's configuration that are not as Knative
// ships them, by ConfigMap.
var settings = map[string]map[string]string{
	"ConfigMap knative-serving/config-network": {
		"ingress-class": "traefik.ingress.networking.knative.dev",
		// Whoever may make a DomainMapping may have the name it asks for.
		"autocreate-cluster-domain-claims": "true",
		"domain-template":                  `{{.Name}}.{{if ne .Domain "localhost"}}{{.Namespace}}.{{end}}{{.Domain}}`,
		"tag-template":                     "{{.Tag}}",
	},
	// A service that is not for the cluster alone is at
	// http://<service>.<namespace>.knative.localhost:8080, and one with the label
	// at http://<service>.localhost:8080. A tag takes the place of the service's
	// name: that is how one has several names, since Traefik takes no DomainMapping
	// of a Knative Service.
	"ConfigMap knative-serving/config-domain": {
		"knative.localhost": "",
		"localhost":         "selector:\n  knative.localhost/short: \"true\"\n",
	},
	"ConfigMap knative-serving/config-autoscaler": {
		// A service that nobody calls is gone half a minute later, not after one
		// and a half: there is little memory, and people want to see it happen.
		"stable-window":              "20s",
		"scale-to-zero-grace-period": "6s",
		"allow-zero-initial-scale":   "true",
	},
	"ConfigMap knative-serving/config-deployment": {
		// Images below dev.local are in no registry that could resolve a tag.
		"registries-skipping-tag-resolving": "dev.local",
		"queue-sidecar-cpu-request":         "5m",
		// What cannot start here is seen sooner than in ten minutes.
		"progress-deadline": "120s",
	},
	// Brokers are made of in-memory channels, as Knative ships them. It is said
	// here so that another version cannot change it unnoticed.
	"ConfigMap knative-eventing/config-br-default-channel": {
		"channel-template-spec": "apiVersion: messaging.knative.dev/v1\nkind: InMemoryChannel\n",
	},
}
