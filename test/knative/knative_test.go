// Package knative tests what only the deployment on Knative has: functions that
// scale, sources of events, a Broker that may fail. Its tests take parts of the
// deployment away, so they run one after another, as root on the only node of
// a local cluster.
package knative

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"

	"k8s.io/client-go/dynamic"

	"github.com/pods-service/pods/test/suite"
)

var (
	deployed *suite.Suite
	objects  dynamic.Interface // for Knative's kinds
	creates  = 200             // pods that TestKilled creates for each part it kills; TEST_CREATES
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if err := prepare(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "knative: "+err.Error())
		return 1
	}
	code := m.Run()
	if code != 0 {
		fmt.Fprintln(os.Stderr, deployed.Log())
	}
	return code
}

func prepare(ctx context.Context) error {
	if set := os.Getenv("TEST_CREATES"); set != "" {
		number, err := strconv.Atoi(set)
		if err != nil || number < atOnce {
			return fmt.Errorf("TEST_CREATES is %q, want a number of at least %d", set, atOnce)
		}
		creates = number
	}
	config, err := suite.Config()
	if err != nil {
		return err
	}
	if objects, err = dynamic.NewForConfig(config); err != nil {
		return err
	}
	deployed, err = suite.Deployed(ctx)
	return err
}
