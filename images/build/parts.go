package main

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/CycloneDX/cyclonedx-go"
)

// partsOf returns the CycloneDX JSON list of the modules that the compiler says
// are in a program: its software bill of materials. The same program gives the
// same list, so it names neither its maker nor a time.
func partsOf(binary, name, version string) ([]byte, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, fmt.Errorf("read how it was built: %w", err)
	}
	bom := cyclonedx.NewBOM()
	bom.Metadata = &cyclonedx.Metadata{Component: &cyclonedx.Component{
		BOMRef: name, Type: cyclonedx.ComponentTypeContainer, Name: name, Version: version,
		Properties: &[]cyclonedx.Property{{Name: "cdx:go:package", Value: info.Path}},
	}}
	components := []cyclonedx.Component{component("std", strings.TrimPrefix(info.GoVersion, "go"), "")}
	for _, dependency := range info.Deps {
		module := *dependency
		if module.Replace != nil {
			module = *module.Replace
		}
		if isOwn(dependency.Path) { // a folder of this repository
			module = debug.Module{Path: dependency.Path, Version: version}
		}
		components = append(components, component(module.Path, module.Version, module.Sum))
	}
	slices.SortFunc(components, func(a, b cyclonedx.Component) int { return strings.Compare(a.BOMRef, b.BOMRef) })
	bom.Components = &components

	references := make([]string, len(components))
	for i, part := range components {
		references[i] = part.BOMRef
	}
	bom.Dependencies = &[]cyclonedx.Dependency{{Ref: name, Dependencies: &references}}

	var text bytes.Buffer
	encoder := cyclonedx.NewBOMEncoder(&text, cyclonedx.BOMFileFormatJSON)
	if err := encoder.SetPretty(true).Encode(bom); err != nil {
		return nil, fmt.Errorf("write the list of parts: %w", err)
	}
	return text.Bytes(), nil
}

func isOwn(path string) bool {
	return path == "github.com/pods-service/pods" || strings.HasPrefix(path, "github.com/pods-service/pods/")
}

// component describes a module; sum is the one of go.sum, "" when it has none.
func component(path, version, sum string) cyclonedx.Component {
	url := "pkg:golang/" + path + "@" + version
	part := cyclonedx.Component{
		BOMRef: url, Type: cyclonedx.ComponentTypeLibrary, Name: path, Version: version, PackageURL: url,
	}
	if sum != "" {
		part.Properties = &[]cyclonedx.Property{{Name: "cdx:go:sum", Value: sum}}
	}
	return part
}
