package binaries

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/pods-service/pods/cluster/components"
	"github.com/pods-service/pods/cluster/images"
)

// BuildTraefik builds Traefik into the folder out, as BuildKnative does, and
// puts its program beside the image: out/traefik runs without a cluster.
func BuildTraefik(ctx context.Context, source, out string, progress io.Writer) error {
	out, err := makeFolder(out)
	if err != nil {
		return err
	}
	for _, suite := range Suites() {
		if suite.Name != "traefik" {
			continue
		}
		if err := suite.build(ctx, filepath.Join(source, suite.Name), out, progress); err != nil {
			return fmt.Errorf("build traefik: %w", err)
		}
	}
	return unpack(filepath.Join(out, "traefik.tar"), components.TraefikImage, "/traefik", filepath.Join(out, "traefik"))
}

// unpack writes the program of an image to target, unless the one there is of
// the same build.
func unpack(file, image, program, target string) error {
	stamped, err := os.ReadFile(stampPath(file))
	if err != nil {
		return fmt.Errorf("look at what %s was built from: %w", file, err)
	}
	sum := strings.TrimSpace(string(stamped))
	if current(target, sum, []string{target}) {
		return nil
	}
	if err := images.Extract(file, image, program, target); err != nil {
		return err
	}
	return stamp(target, sum)
}
