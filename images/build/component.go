package main

import (
	"fmt"
	"os"
	"strings"
)

// writeComponent writes the part of a kustomization that puts these images in
// the place of those that config/knative names. Images of a registry are named
// by digest.
func writeComponent(file string, list []built, byDigest bool) error {
	var text strings.Builder
	text.WriteString("# Written by images/build.\napiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nimages:\n")
	for _, image := range list {
		fmt.Fprintf(&text, "  - name: %s/pods-%s\n    newName: %s\n", localRegistry, image.program, image.tag.Context())
		if byDigest {
			fmt.Fprintf(&text, "    digest: %s\n", image.digest)
		} else {
			fmt.Fprintf(&text, "    newTag: %s\n", image.tag.TagStr())
		}
	}
	return os.WriteFile(file, []byte(text.String()), 0o600)
}
