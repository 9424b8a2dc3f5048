package main

import "runtime/debug"

// version is set when the image is built:
//
//	go build -ldflags "-X main.version=1.4.0"
var version string

// programVersion returns version, else what the Go toolchain recorded about
// the build, else "dev".
func programVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}
