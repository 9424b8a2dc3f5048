package manifests

import (
	"regexp"
	"strings"
)

// ImageName returns the name of the image that holds a program of Knative, given
// as its package: dev.local/eventing-broker-filter:1 for
// knative.dev/eventing/cmd/broker/filter. Knative takes images below dev.local
// as they are and asks no registry for their digest.
func ImageName(program string) string {
	name := strings.TrimPrefix(program, "knative.dev/")
	name = strings.Replace(name, "/cmd/", "/", 1)
	return "dev.local/" + strings.NewReplacer("/", "-", "_", "-").Replace(name) + ":1"
}

// reference is how Knative's manifests name an image: by the package of its
// program, for the tool ko to build.
var reference = regexp.MustCompile(`ko://[\w./-]+`)

// withImages returns the manifest with the names of images in place of
// references to programs.
func withImages(manifest []byte) []byte {
	return reference.ReplaceAllFunc(manifest, func(found []byte) []byte {
		return []byte(ImageName(strings.TrimPrefix(string(found), "ko://")))
	})
}
