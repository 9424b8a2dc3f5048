package lifecycle

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// apply creates the objects in the files, in their order, or gives them back
// the form they have there.
func (c *Cluster) apply(ctx context.Context, files ...string) error {
	arguments := []string{"apply", "--server-side", "--force-conflicts"}
	for _, file := range files {
		arguments = append(arguments, "--filename", file)
	}
	return c.kubectl(ctx, nil, arguments...)
}

// kubectl runs kubectl with the administrator's rights. Its error is what
// kubectl says.
func (c *Cluster) kubectl(ctx context.Context, input io.Reader, arguments ...string) error {
	arguments = append([]string{"kubectl", "--kubeconfig=" + c.layout.Kubeconfig()}, arguments...)
	command := exec.CommandContext(ctx, c.layout.Kube(), arguments...) //nolint:gosec // our own program
	command.Env = append(os.Environ(), "HOME="+c.layout.State)         // where it keeps a cache
	command.Stdin = input
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(output)))
	}
	return nil
}
