module github.com/pods-service/pods/cmd/podsd

go 1.26

require (
	github.com/pods-service/pods v0.0.0
	github.com/pods-service/pods/functions/api v0.0.0
	github.com/pods-service/pods/functions/health v0.0.0
	github.com/pods-service/pods/functions/logs v0.0.0
	github.com/pods-service/pods/functions/spawner v0.0.0
	github.com/pods-service/pods/gateway v0.0.0
	github.com/pods-service/pods/shared v0.0.0
)

replace (
	github.com/pods-service/pods => ../..
	github.com/pods-service/pods/functions/api => ../../functions/api
	github.com/pods-service/pods/functions/health => ../../functions/health
	github.com/pods-service/pods/functions/logs => ../../functions/logs
	github.com/pods-service/pods/functions/spawner => ../../functions/spawner
	github.com/pods-service/pods/gateway => ../../gateway
	github.com/pods-service/pods/shared => ../../shared
)
