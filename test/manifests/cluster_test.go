package manifests_test

import (
	"context"
	"net"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/pods-service/pods/shared/kube"
)

const clusterTimeout = 2 * time.Minute

// cluster returns how to reach the cluster of TEST_KUBECONFIG, which must be on
// this machine.
func cluster(t *testing.T) (context.Context, *rest.Config) {
	t.Helper()
	path := os.Getenv("TEST_KUBECONFIG")
	if path == "" {
		t.Fatal("TEST_KUBECONFIG is not set: this test needs a cluster on this machine")
	}
	config, err := kube.Config(path)
	if err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	if ip := net.ParseIP(address.Hostname()); ip == nil || !ip.IsLoopback() && !ip.IsPrivate() {
		t.Fatalf("%s is not on this machine", address.Hostname())
	}
	ctx, cancel := context.WithTimeout(t.Context(), clusterTimeout)
	t.Cleanup(cancel)
	return ctx, config
}

// applyRights makes the accounts and roles of the deployment in two namespaces
// of the test's own, which it names by those they stand for.
func applyRights(t *testing.T) (context.Context, kubernetes.Interface, map[string]string) {
	t.Helper()
	ctx, config := cluster(t)
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	suffix := "-test-" + uuid.NewString()
	names := map[string]string{serviceNamespace: serviceNamespace + suffix, podsNamespace: podsNamespace + suffix}
	for _, name := range names {
		makeNamespace(ctx, t, client, name)
	}
	all := render(t, "production")
	for _, object := range all.of("", "ServiceAccount") {
		account := decode[corev1.ServiceAccount](object)
		account.Namespace = names[account.Namespace]
		if _, err := client.CoreV1().ServiceAccounts(account.Namespace).Create(ctx, &account, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, object := range all.of(rbacv1.GroupName, "Role") {
		role := decode[rbacv1.Role](object)
		role.Namespace = names[role.Namespace]
		if _, err := client.RbacV1().Roles(role.Namespace).Create(ctx, &role, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, object := range all.of(rbacv1.GroupName, "RoleBinding") {
		binding := decode[rbacv1.RoleBinding](object)
		binding.Namespace = names[binding.Namespace]
		for i := range binding.Subjects {
			binding.Subjects[i].Namespace = names[binding.Subjects[i].Namespace]
		}
		if _, err := client.RbacV1().RoleBindings(binding.Namespace).Create(ctx, &binding, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	awaitRights(ctx, t, client, names)
	return ctx, client, names
}

func makeNamespace(ctx context.Context, t *testing.T, client kubernetes.Interface, name string) {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clusterTimeout)
		defer cancel()
		if err := client.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
			t.Errorf("remove namespace: %v", err)
		}
	})
}
