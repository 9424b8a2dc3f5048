package manifests_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// rights is all that each account may do, in the namespace of the users' pods:
// verbs by resource. In the namespace of the functions none may do anything.
var rights = map[string]map[string]string{
	"api":             {"pods": "get", "pods/log": "get", "pods/exec": "get create"},
	"spawner":         {"pods": "get watch create delete", "services": "get create delete", "persistentvolumeclaims": "get list create delete"},
	"health":          {"pods": "get list watch"},
	"logs":            {"pods": "get", "pods/log": "get"},
	"cluster-changes": {"pods": "get list watch"},
	"gateway":         {},
	"migrate":         {},
	"default":         {},
}

var (
	verbs     = []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}
	resources = []string{
		"pods", "pods/log", "pods/exec", "pods/attach", "pods/portforward", "pods/ephemeralcontainers", "pods/eviction",
		"services", "persistentvolumeclaims", "secrets", "configmaps", "serviceaccounts", "serviceaccounts/token",
		"apps/deployments", "batch/jobs", "rbac.authorization.k8s.io/roles", "rbac.authorization.k8s.io/rolebindings",
		"serving.knative.dev/services", "eventing.knative.dev/triggers",
	}
)

// TestRights asks a real API server, for each account, every verb and resource,
// whether it may; what kubectl auth can-i does.
func TestRights(t *testing.T) {
	t.Parallel()

	ctx, client, names := applyRights(t)
	for account, allowed := range rights {
		t.Run(account, func(t *testing.T) {
			t.Parallel()

			for _, namespace := range []string{names[podsNamespace], names[serviceNamespace], "kube-system"} {
				want := map[string]string{}
				if namespace == names[podsNamespace] {
					want = allowed
				}
				got := rightsOf(ctx, t, client, names[serviceNamespace]+":"+account, namespace)
				if !maps.Equal(got, want) {
					t.Errorf("in %s: may %v, want %v", namespace, got, want)
				}
			}
		})
	}
}

// rightsOf returns what an account may do in a namespace, in the form of rights.
func rightsOf(ctx context.Context, t *testing.T, client kubernetes.Interface, account, namespace string) map[string]string {
	t.Helper()
	answers := make([]bool, len(resources)*len(verbs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range answers {
		group.Go(func() (err error) {
			answers[i], err = may(ctx, client, account, verbs[i%len(verbs)], resources[i/len(verbs)], namespace)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	allowed := map[string]string{}
	for i, resource := range resources {
		var list []string
		for j, verb := range verbs {
			if answers[i*len(verbs)+j] {
				list = append(list, verb)
			}
		}
		if len(list) > 0 {
			allowed[resource] = strings.Join(list, " ")
		}
	}
	return allowed
}

// may asks whether an account, NAMESPACE:NAME, has a right. A resource is
// GROUP/NAME, or NAME or NAME/PART of Kubernetes' core.
func may(ctx context.Context, client kubernetes.Interface, account, verb, resource, namespace string) (bool, error) {
	attributes := &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: verb, Resource: resource}
	if before, after, found := strings.Cut(resource, "/"); found {
		attributes.Resource, attributes.Subresource = before, after
		if isGroup := strings.Contains(before, ".") || slices.Contains([]string{"apps", "batch"}, before); isGroup {
			attributes.Group, attributes.Resource, attributes.Subresource = before, after, ""
		}
	}
	review, err := client.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: "system:serviceaccount:" + account,
			// As the API server adds them to every account.
			Groups:             []string{"system:serviceaccounts", "system:authenticated"},
			ResourceAttributes: attributes,
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("ask whether %s may %s %s: %w", account, verb, resource, err)
	}
	return review.Status.Allowed, nil
}

// awaitRights returns when the API server goes by the new rights, which it
// learns a moment after they are there.
func awaitRights(ctx context.Context, t *testing.T, client kubernetes.Interface, names map[string]string) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for account, allowed := range rights {
		for resource, list := range allowed {
			for _, verb := range strings.Fields(list) {
				for {
					allowed, err := may(ctx, client, names[serviceNamespace]+":"+account, verb, resource, names[podsNamespace])
					if err != nil {
						t.Fatal(err)
					}
					if allowed {
						break
					}
					select {
					case <-ctx.Done():
						t.Fatalf("%s may not %s %s", account, verb, resource)
					case <-ticker.C:
					}
				}
			}
		}
	}
}
