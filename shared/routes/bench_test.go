package routes_test

import (
	"fmt"
	"testing"

	"github.com/pods-service/pods/shared/pods"
	"github.com/pods-service/pods/shared/routes"
)

func manyPods(count int) []pods.Pod {
	all := make([]pods.Pod, count)
	for i := range all {
		all[i] = newPod("dev", fmt.Sprintf("pod%d", i))
	}
	return all
}

// BenchmarkLookup includes what a request pays before: the canonical host.
func BenchmarkLookup(b *testing.B) {
	for _, count := range []int{10, 10_000, 100_000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			table := routes.Build(manyPods(count))
			hosts := make([]string, 1024)
			for i := range hosts {
				hosts[i] = fmt.Sprintf("pod%d.pods.localhost:8443", i*7919%count)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				host, err := routes.CanonicalHost(hosts[i%len(hosts)])
				if err != nil {
					b.Fatal(err)
				}
				if _, found := table.Lookup(host); !found {
					b.Fatal("no route")
				}
			}
		})
	}
}

// BenchmarkWith changes one pod back and forth.
func BenchmarkWith(b *testing.B) {
	for _, count := range []int{10, 10_000, 100_000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			table := routes.Build(manyPods(count))
			versions := []pods.Pod{
				newPod("dev", "pod7"),
				newPod("dev", "pod7", func(p *pods.Pod) { p.Status = pods.StatusDeleting }),
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				table = table.With(versions[i%2])
			}
		})
	}
}

// BenchmarkBuild is what a full load costs.
func BenchmarkBuild(b *testing.B) {
	all := manyPods(10_000)
	b.ReportAllocs()
	for b.Loop() {
		routes.Build(all)
	}
}
