module github.com/pods-service/pods/functions/logs

go 1.26

require github.com/pods-service/pods/shared v0.0.0

replace github.com/pods-service/pods/shared => ../../shared
