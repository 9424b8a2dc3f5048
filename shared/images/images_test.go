package images_test

import (
	"testing"

	"github.com/pods-service/pods/shared/images"
	"github.com/pods-service/pods/shared/pods"
)

func TestName(t *testing.T) {
	t.Parallel()

	for image, want := range map[string]string{
		"nginx": "nginx", "nginx:1": "nginx", "host:5000/app": "host:5000/app", "host:5000/app:2": "host:5000/app",
		"nginx@sha256:00": "nginx", "host:5000/app:2@sha256:00": "host:5000/app",
	} {
		if got := images.Name(image); got != want {
			t.Errorf("Name(%s) = %s, want %s", image, got, want)
		}
	}
}

func TestAllowlist(t *testing.T) {
	t.Parallel()

	list := images.NewAllowlist("nginx:1.27", "dev.local/hello:1")
	if err := list.Check("nginx:latest"); err != nil {
		t.Errorf("another tag of a listed image: %v", err)
	}
	for _, image := range []string{"nginx2", "evil/nginx", "dev.local/hello2:1", ""} {
		if err := list.Check(image); pods.KindOf(err) != pods.KindInvalid {
			t.Errorf("Check(%q) = %v, want invalid", image, err)
		}
	}
}
