package network

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// RemoveRules takes the rules and chains of Kubernetes and of the network
// plugins out of the IPv4 and IPv6 packet filters and leaves all others alone.
// Of the plugins' chains it takes those of the plugin network named network.
// find returns the path of a program, or "" when it is not installed.
func RemoveRules(ctx context.Context, network string, find func(name string) string) error {
	for _, family := range []string{"iptables", "ip6tables"} {
		save, restore := find(family+"-save"), find(family+"-restore")
		if save == "" || restore == "" {
			continue // nothing can have made rules either
		}
		rules, err := exec.CommandContext(ctx, save).Output() //nolint:gosec // of this machine
		if err != nil {
			return fmt.Errorf("read the rules with %s: %w", save, err)
		}
		removal := removal(string(rules), network)
		if removal == "" {
			continue
		}
		// With a lock to wait for, since other programs change rules as well.
		command := exec.CommandContext(ctx, restore, "--noflush", "--wait", "10") //nolint:gosec // of this machine
		command.Stdin = strings.NewReader(removal)
		if output, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("remove rules with %s: %w: %s", restore, err, bytes.TrimSpace(output))
		}
	}
	return nil
}

// removal turns the output of iptables-save into input for iptables-restore
// that removes the cluster's chains and all rules leading to them. It is empty
// when there is nothing to remove.
func removal(saved, network string) string {
	var input strings.Builder
	for _, table := range parseTables(saved) {
		chains := table.owned(network)
		if len(chains) == 0 {
			continue
		}
		fmt.Fprintf(&input, "*%s\n", table.name)
		for _, chain := range chains {
			fmt.Fprintf(&input, ":%s - [0:0]\n", chain) // empties it
		}
		for _, rule := range table.rules {
			if !slices.Contains(chains, rule.chain) && slices.Contains(chains, rule.target) {
				fmt.Fprintf(&input, "-D %s\n", rule.text)
			}
		}
		for _, chain := range chains {
			fmt.Fprintf(&input, "-X %s\n", chain)
		}
		input.WriteString("COMMIT\n")
	}
	return input.String()
}

// table is one table of a packet filter, as iptables-save prints it.
type table struct {
	name   string
	chains []string
	rules  []rule
}

type rule struct {
	chain  string // the chain it is in
	target string // the chain it leads to, or the verdict
	text   string // all of it, without "-A "
}

func parseTables(saved string) []table {
	var tables []table
	for line := range strings.Lines(saved) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "*"); ok {
			tables = append(tables, table{name: name})
			continue
		}
		if len(tables) == 0 {
			continue
		}
		current := &tables[len(tables)-1]
		if chain, ok := strings.CutPrefix(line, ":"); ok {
			name, _, _ := strings.Cut(chain, " ")
			current.chains = append(current.chains, name)
		}
		if text, ok := strings.CutPrefix(line, "-A "); ok {
			current.rules = append(current.rules, parseRule(text))
		}
	}
	return tables
}

func parseRule(text string) rule {
	fields := strings.Fields(text)
	parsed := rule{chain: fields[0], text: text}
	for i, field := range fields[:len(fields)-1] {
		// A comment can hold "-j" too, but the real one comes after it.
		if field == "-j" || field == "-g" {
			parsed.target = fields[i+1]
		}
	}
	return parsed
}

// owned returns the table's chains that belong to the cluster: all of
// Kubernetes, those the plugins made for a container in network, and those the
// plugins share when no other network uses them.
func (t table) owned(network string) []string {
	containers := t.containerChains(network)
	shared := true
	for _, chain := range t.chains {
		if strings.HasPrefix(chain, "CNI-") && !isShared(chain) && !slices.Contains(containers, chain) {
			shared = false
		}
	}
	var owned []string
	for _, chain := range t.chains {
		if strings.HasPrefix(chain, "KUBE-") || slices.Contains(containers, chain) || shared && isShared(chain) {
			owned = append(owned, chain)
		}
	}
	return owned
}

// containerChains returns the chains of single containers in network. The
// plugins write the network's name into the comments of the rules that lead to
// them and that are in them.
func (t table) containerChains(network string) []string {
	var chains []string
	for _, rule := range t.rules {
		if !strings.Contains(rule.text, `name: \"`+network+`\"`) {
			continue
		}
		for _, chain := range []string{rule.chain, rule.target} {
			if strings.HasPrefix(chain, "CNI-") && !isShared(chain) && !slices.Contains(chains, chain) {
				chains = append(chains, chain)
			}
		}
	}
	return chains
}

// isShared reports whether the plugins use the chain for every network.
func isShared(chain string) bool {
	return strings.HasPrefix(chain, "CNI-HOSTPORT-") || chain == "CNI-FORWARD" || chain == "CNI-ADMIN"
}
