module github.com/pods-service/pods/cluster/pause

go 1.26
