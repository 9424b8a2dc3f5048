package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pods-service/pods/cluster/components"
)

// knativeNamespaces are those that Knative and its ingress run in.
var knativeNamespaces = []string{"knative-serving", "knative-eventing", "traefik"}

// KnativeStatus says how Knative is.
type KnativeStatus struct {
	Address  string   `json:"address"`             // of the ingress
	NotReady []string `json:"not_ready,omitempty"` // Deployments, as namespace/name
}

// knativeApplied succeeds when all of Knative's objects were made. It looks for
// the one that is made last.
func (a api) knativeApplied(ctx context.Context) error {
	return a.get(ctx, "/api/v1/namespaces/traefik/services/traefik-internal", nil)
}

// knativeStatus looks at every Deployment of Knative.
func (a api) knativeStatus(ctx context.Context) *KnativeStatus {
	status := &KnativeStatus{Address: components.PublicAddress()}
	for _, namespace := range knativeNamespaces {
		var list conditionList
		if err := a.get(ctx, "/apis/apps/v1/namespaces/"+namespace+"/deployments", &list); err != nil {
			status.NotReady = append(status.NotReady, namespace+"/*")
			continue
		}
		for _, name := range list.without("Available") { // one that wants no pods is available
			status.NotReady = append(status.NotReady, namespace+"/"+name)
		}
	}
	return status
}

// knativeReady succeeds when every Deployment of Knative is available.
func (a api) knativeReady(ctx context.Context) error {
	if open := a.knativeStatus(ctx).NotReady; len(open) > 0 {
		return fmt.Errorf("not available: %s", strings.Join(open, ", "))
	}
	return nil
}

// kindsKnown succeeds when objects of every defined kind can be made.
func (a api) kindsKnown(ctx context.Context) error {
	var list conditionList
	if err := a.get(ctx, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &list); err != nil {
		return err
	}
	if names := list.without("Established"); len(names) > 0 {
		return fmt.Errorf("not established: %s", strings.Join(names, ", "))
	}
	return nil
}

// conditionList is a list of objects whose status has conditions.
type conditionList struct {
	Items []struct {
		Metadata struct{ Name string }
		Status   struct {
			Conditions []struct{ Type, Status string }
		}
	}
}

// without returns the names of the objects whose condition is not true.
func (l conditionList) without(condition string) []string {
	var names []string
next:
	for _, item := range l.Items {
		for _, has := range item.Status.Conditions {
			if has.Type == condition && has.Status == "True" {
				continue next
			}
		}
		names = append(names, item.Metadata.Name)
	}
	return names
}

// webhooksKnown succeeds when the programs behind Knative's webhooks have said
// how they are to be called. Until then the API server leaves some of them out.
func (a api) webhooksKnown(ctx context.Context) error {
	for _, kind := range []string{"mutatingwebhookconfigurations", "validatingwebhookconfigurations"} {
		var list webhookList
		if err := a.get(ctx, "/apis/admissionregistration.k8s.io/v1/"+kind, &list); err != nil {
			return err
		}
		if err := list.known(); err != nil {
			return err
		}
	}
	return nil
}

type webhookList struct {
	Items []struct {
		Webhooks []struct {
			Name         string
			ClientConfig struct{ CABundle string }
		}
	}
}

func (l webhookList) known() error {
	for _, configuration := range l.Items {
		for _, webhook := range configuration.Webhooks {
			if strings.HasSuffix(webhook.Name, ".knative.dev") && webhook.ClientConfig.CABundle == "" {
				return errors.New("nothing is known yet of " + webhook.Name)
			}
		}
	}
	return nil
}
