module github.com/pods-service/pods/functions/api

go 1.26.0

require github.com/pods-service/pods/shared v0.0.0

require (
	github.com/golang-jwt/jwt/v5 v5.3.1 // indirect
	github.com/google/go-cmp v0.7.0 // indirect
)

replace github.com/pods-service/pods/shared => ../../shared
