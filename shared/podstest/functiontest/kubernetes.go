package functiontest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Kubernetes is an API server that keeps what it is given, for tests of how a
// whole program is wired. It knows how to create, get and list, and the log of
// a pod.
type Kubernetes struct {
	// Kubeconfig is the path of a file that leads to the server.
	Kubeconfig string
	// Log is what every pod has written.
	Log string

	mu      sync.Mutex
	objects map[string]runtime.Object // by path
}

// NewKubernetes returns a server that is up until the test ends.
func NewKubernetes(t testing.TB) *Kubernetes {
	t.Helper()
	k := &Kubernetes{objects: map[string]runtime.Object{}, Kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	server := httptest.NewServer(k)
	t.Cleanup(server.Close)
	config := clientcmdapi.NewConfig()
	config.Clusters["test"] = &clientcmdapi.Cluster{Server: server.URL}
	config.Contexts["test"] = &clientcmdapi.Context{Cluster: "test"}
	config.CurrentContext = "test"
	if err := clientcmd.WriteToFile(*config, k.Kubeconfig); err != nil {
		t.Fatalf("write the kubeconfig: %v", err)
	}
	return k
}

// Set keeps an object at path, as "/api/v1/namespaces/pods/pods/name".
func (k *Kubernetes) Set(path string, object runtime.Object) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.objects[path] = object
}

// Get returns the object at path, nil when there is none.
func (k *Kubernetes) Get(path string) runtime.Object {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.objects[path]
}

// ServeHTTP answers one call.
func (k *Kubernetes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	switch {
	case path == "/readyz":
		_, _ = io.WriteString(w, "ok")
	case r.Method == http.MethodPost:
		k.create(w, r)
	case r.Method != http.MethodGet:
		answer(w, http.StatusMethodNotAllowed, status(http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed))
	case strings.HasSuffix(path, "/log"):
		_, _ = io.WriteString(w, k.Log)
	case strings.HasSuffix(path, "/pods"):
		answer(w, http.StatusOK, k.pods(path))
	default:
		object := k.Get(path)
		if object == nil {
			answer(w, http.StatusNotFound, status(http.StatusNotFound, metav1.StatusReasonNotFound))
			return
		}
		answer(w, http.StatusOK, object)
	}
}

func (k *Kubernetes) create(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
	named, isNamed := object.(metav1.Object)
	if err != nil || !isNamed {
		answer(w, http.StatusBadRequest, status(http.StatusBadRequest, metav1.StatusReasonBadRequest))
		return
	}
	k.Set(r.URL.Path+"/"+named.GetName(), object)
	answer(w, http.StatusCreated, object)
}

func (k *Kubernetes) pods(path string) *corev1.PodList {
	k.mu.Lock()
	defer k.mu.Unlock()
	list := &corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}}
	for at, object := range k.objects {
		if pod, ok := object.(*corev1.Pod); ok && strings.HasPrefix(at, path+"/") {
			list.Items = append(list.Items, *pod)
		}
	}
	return list
}

func status(code int32, reason metav1.StatusReason) *metav1.Status {
	return &metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure, Code: code, Reason: reason,
	}
}

// answer sends an object with its kind, which clients go by.
func answer(w http.ResponseWriter, code int, object runtime.Object) {
	if kinds, _, err := scheme.Scheme.ObjectKinds(object); err == nil {
		object = object.DeepCopyObject()
		object.GetObjectKind().SetGroupVersionKind(kinds[0])
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(object) // the client has gone
}

// SecretFile writes a file as a Secret holds it and returns its path.
func SecretFile(t testing.TB, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatalf("write a secret: %v", err)
	}
	return path
}
