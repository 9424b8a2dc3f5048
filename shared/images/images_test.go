package images_test

import (
	"context"
	"strings"
	"testing"

	"github.com/pods-service/pods/shared/images"
	"github.com/pods-service/pods/shared/pods"
)

func TestNew(t *testing.T) {
	t.Parallel()

	digest := "@sha256:" + strings.Repeat("0a", 32)
	tests := map[string]struct{ name, key string }{
		"nginx":                    {"nginx", "docker.io/library/nginx"},
		"nginx:1":                  {"nginx", "docker.io/library/nginx"},
		"nginx" + digest:           {"nginx", "docker.io/library/nginx"},
		"docker.io/library/nginx":  {"docker.io/library/nginx", "docker.io/library/nginx"},
		"team/app":                 {"team/app", "docker.io/team/app"},
		"host:5000/app":            {"host:5000/app", "host:5000/app"},
		"host:5000/app:2" + digest: {"host:5000/app", "host:5000/app"},
	}
	for text, want := range tests {
		image, err := images.New(text)
		if err != nil || image.Name != want.name || image.Key != want.key {
			t.Errorf("New(%s) = %q, %q, %v; want %v", text, image.Name, image.Key, err, want)
		}
		if images.HasTag(text) != (text != want.name) {
			t.Errorf("HasTag(%s) = %v", text, images.HasTag(text))
		}
	}
	for _, text := range []string{"", "Nginx", "a b", "nginx:", "nginx:a:b", "nginx@sha256:00", "-x", "host:5000/", strings.Repeat("a", 300)} {
		if _, err := images.New(text); pods.KindOf(err) != pods.KindInvalid {
			t.Errorf("New(%q) = %v, want invalid", text, err)
		}
	}
}

func FuzzKey(f *testing.F) {
	for _, seed := range []string{"nginx", "host:5000/app:1@sha256:00", "a/b/c", "localhost/x", "::", "@", "docker.io/x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		key, err := images.Key(text)
		if err != nil {
			if pods.KindOf(err) != pods.KindInvalid {
				t.Errorf("Key(%q) = %v, want invalid", text, err)
			}
			return
		}
		if again, err := images.Key(key); err != nil || again != key {
			t.Errorf("Key(%q) = %q, whose key is %q, %v", text, key, again, err)
		}
		image, err := images.New(text)
		if err != nil {
			t.Fatalf("New(%q) = %v though it has a key", text, err)
		}
		if again, err := images.Key(image.Name); err != nil || again != key {
			t.Errorf("New(%q) is named %q, whose key is %q, %v; want %q", text, image.Name, again, err, key)
		}
	})
}

// entries is a Source of entries by key.
type entries map[string]images.Image

func (e entries) Image(_ context.Context, key string) (images.Image, error) {
	if image, found := e[key]; found {
		return image, nil
	}
	return images.Image{}, pods.NotFound("no image")
}

func TestAllowlist(t *testing.T) {
	t.Parallel()

	source := entries{}
	for name, tenants := range map[string][]string{
		"everywhere": {"**"}, "main": {"*"}, "ours": {"dev"}, "mine": {}, "notdev": {"-dev", "**"}, "maindev2": {"*", "dev2"},
	} {
		image, err := images.New(name)
		if err != nil {
			t.Fatal(err)
		}
		image.Tenants, image.TenantID = tenants, "dev"
		source[image.Key] = image
	}
	list, err := images.NewAllowlist(source, []string{"dev"}, "nginx:1.27", "dev.local/hello:1")
	if err != nil {
		t.Fatal(err)
	}
	for image, want := range map[string]string{
		"nginx:latest": "dev dev2", "docker.io/library/nginx": "dev dev2", "dev.local/hello:2": "dev dev2",
		"everywhere:1": "dev dev2", "main": "dev", "ours": "dev", "mine": "dev", "notdev": "dev2", "maindev2": "dev dev2",
		"nginx2": "", "evil/nginx": "", "dev.local/hello2:1": "", "": "", "Nginx": "",
	} {
		var got []string
		for _, tenant := range []string{"dev", "dev2"} {
			switch err := list.Check(t.Context(), tenant, image); pods.KindOf(err) {
			case "":
				got = append(got, tenant)
			case pods.KindInvalid:
			default:
				t.Errorf("Check(%s, %q) = %v, want invalid", tenant, image, err)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q is for %v, want %s", image, got, want)
		}
	}
	if _, err := images.NewAllowlist(source, nil, "a b"); err == nil {
		t.Error("a configured image that is none is taken")
	}
}
