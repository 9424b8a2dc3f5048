module github.com/pods-service/pods/images/build

go 1.26.0

require (
	github.com/CycloneDX/cyclonedx-go v0.9.3
	github.com/google/go-cmp v0.7.0
	github.com/google/go-containerregistry v0.22.1
	github.com/pods-service/pods/cluster v0.0.0
)

replace github.com/pods-service/pods/cluster => ../../cluster
