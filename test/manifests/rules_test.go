package manifests_test

import (
	"fmt"
	"slices"
	"testing"
)

// rule looks for one kind of mistake and reports each it finds.
type rule func(d deployment, report func(format string, args ...any))

var rules = map[string]rule{
	"Namespaces":      namespacesAreNamed,
	"Images":          imagesArePinned,
	"NotRoot":         containersAreNotRoot,
	"Resources":       resourcesAreBounded,
	"Probes":          serversAreProbed,
	"Tokens":          tokensAreNeeded,
	"HostPorts":       portsOfTheNodeAreLoopback,
	"References":      referencesExist,
	"Rights":          rightsAreNarrow,
	"Triggers":        triggersDeliver,
	"Bindings":        functionsKnowTheBroker,
	"Visibility":      onlyTheAPIIsPublic,
	"DefaultDeny":     namespacesDenyByDefault,
	"Disruption":      disruptionIsBounded,
	"Sources":         sourcesFitHealth,
	"UsersNamespace":  usersNamespaceIsAsBuilt,
	"ServiceSelector": servicesSelectSomething,
}

func TestRules(t *testing.T) {
	t.Parallel()

	for _, overlay := range overlays {
		for name, rule := range rules {
			t.Run(overlay+"/"+name, func(t *testing.T) {
				t.Parallel()

				for _, mistake := range mistakes(render(t, overlay), rule) {
					t.Error(mistake)
				}
			})
		}
	}
}

func mistakes(d deployment, rule rule) []string {
	var found []string
	rule(d, func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) })
	return found
}

func TestOverlaysHaveTheSameParts(t *testing.T) {
	t.Parallel()

	for _, overlay := range overlays {
		got := render(t, overlay).knativeServices().names()
		slices.Sort(got)
		if !slices.Equal(got, functions) {
			t.Errorf("%s deploys the functions %v, want %v", overlay, got, functions)
		}
	}
}
