module github.com/pods-service/pods/gateway

go 1.26.0

replace github.com/pods-service/pods/shared => ../shared

require github.com/pods-service/pods/shared v0.0.0-00010101000000-000000000000

require (
	github.com/google/go-cmp v0.7.0 // indirect
	github.com/hashicorp/golang-lru/v2 v2.0.7 // indirect
	golang.org/x/sync v0.24.0 // indirect
)
