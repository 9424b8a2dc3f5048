module github.com/pods-service/pods/shared

go 1.26
