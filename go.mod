module github.com/pods-service/pods

go 1.26
