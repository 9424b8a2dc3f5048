# Two commands do everything on a fresh machine: `make run` and `make test`.

VERSION := $(shell cat VERSION)
LDFLAGS := -s -w -X main.version=$(VERSION)
# Static programs. What only a debugger reads takes a twelfth of the time to
# compile; with flags as in cluster/binaries, all of them share what is compiled.
BUILD   := CGO_ENABLED=0 go build -trimpath -gcflags=all=-dwarf=false
# Every module of the workspace, as packages.
MODULES  = $(shell go list -f '{{.Dir}}/...' -m)

GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.6.2
GOVULNCHECK   := golang.org/x/vuln/cmd/govulncheck@v1.1.4

# The client, from shared/openapi/openapi.yaml.
GENERATED := shared/client/api/client.gen.go

.DEFAULT_GOAL := help
.PHONY: help run down clean build test test-knative test-typescript fuzz bench fmt lint vuln tidy generate verify cover

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z\/-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## bring the service up, run its main job, stay until Ctrl-C
	@scripts/run.sh

down: ## stop whatever an earlier run has left
	@scripts/down.sh

clean: down ## down, then remove what was built and all data of the service
	@scripts/clean.sh

build: bin/hello.tar ## build everything into bin/
	@echo "==> Building the service"
	@$(BUILD) -ldflags '$(LDFLAGS)' -o bin/podsd ./cmd/podsd
	@$(BUILD) -ldflags '$(LDFLAGS)' -o bin/withservers ./test/withservers

# The cluster tool skips what is up to date by itself.
.PHONY: bin/cluster bin/hello
bin/cluster:
	@echo "==> Building the cluster tool"
	@cd cluster && GOWORK=off $(BUILD) -ldflags '-s -w' -o ../bin/cluster .
	@bin/cluster build --out bin

# Knative and its ingress: many minutes the first time.
.PHONY: bin/knative
bin/knative: bin/cluster
	@bin/cluster build --knative --out bin

# The program of that ingress, to run it without a cluster.
.PHONY: bin/traefik
bin/traefik:
	@cd cluster && GOWORK=off $(BUILD) -ldflags '-s -w' -o ../bin/cluster .
	@bin/cluster build --traefik --out bin

bin/hello:
	@cd images/hello && $(BUILD) -ldflags '$(LDFLAGS)' -o ../../bin/hello .

# hello has a shell, for those who look around in its container.
bin/busybox:
	@scripts/busybox.sh $@

bin/hello.tar: bin/cluster bin/hello bin/busybox
	@bin/cluster image dev.local/hello:1 $@ --entrypoint /hello --user 65532 --port 5000 --writable /tmp \
		bin/hello=/hello bin/busybox=/bin/sh

test: build bin/build-images bin/traefik ## run every test, with the race detector, Traefik and a browser
	@scripts/test.sh

test-knative: build bin/build-images bin/knative ## run the end-to-end tests and the faults on Knative, on this machine
	@scripts/test-knative.sh

test-typescript: ## call a running service by the published TypeScript client: PODS_URL=, PODS_TOKEN=, PODS_ADMIN_TOKEN=
	@scripts/test-typescript.sh

fuzz: ## run every fuzz target in turn; FUZZTIME=10m for how long each, FUZZ=Pod only those with that in the name
	@FUZZTIME=$(FUZZTIME) FUZZ=$(FUZZ) scripts/fuzz.sh

bench: build ## measure against the baselines and print the table, over half an hour; ARGS="--only B5" runs a part
	@scripts/bench.sh $(ARGS)

# Only what runs on this machine needs the cluster tool and Kubernetes.
LOCAL_IMAGES  = $(if $(REGISTRY),,bin/hello.tar)
LOCAL_CLUSTER = $(if $(KUBECONFIG),,bin/knative)

.PHONY: bin/build-images images deploy undeploy
bin/build-images:
	@$(BUILD) -ldflags '-s -w' -o $@ ./images/build

images: bin/build-images $(LOCAL_IMAGES) ## build the images and load them here, or send them to REGISTRY=
	@scripts/images.sh

deploy: bin/build-images $(LOCAL_IMAGES) $(LOCAL_CLUSTER) ## deploy on Knative: OVERLAY=local or production
	@scripts/deploy.sh

undeploy: ## remove the deployment on Knative
	@scripts/undeploy.sh

fmt: ## format the code
	@gofmt -w $$(git ls-files '*.go')

lint: ## check form, imports and common mistakes
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "run: make fmt"; exit 1; }
	@echo "==> Comparing the generated client with the API's description"
	@was=$$(sha256sum $(GENERATED)); go generate ./$(dir $(GENERATED)) || exit 1; \
	 test "$$was" = "$$(sha256sum $(GENERATED))" || { echo "$(GENERATED) was stale and has been written anew"; exit 1; }
	@echo "==> Linting (the first time builds the linter, some minutes)"
	@go run $(GOLANGCI_LINT) run $(MODULES)
	@cd cluster && GOWORK=off go run $(GOLANGCI_LINT) run ./...

vuln: ## look for known vulnerabilities (needs the vulnerability database)
	@go run $(GOVULNCHECK) $(MODULES)
	@cd cluster && GOWORK=off go run $(GOVULNCHECK) ./...

tidy: ## tidy every module
	@for dir in $$(git ls-files '*go.mod' 'go.mod' | xargs -n1 dirname); do (cd $$dir && GOWORK=off go mod tidy) || exit 1; done

generate: ## write what comes from the code and the API's description
	@go generate ./$(dir $(GENERATED))
	@UPDATE_DOCS=1 go test -count=1 -run TestLifecyclePage ./shared/pods

verify: generate tidy ## fail when generated files or modules are stale
	@git diff --exit-code

cover: build bin/build-images bin/traefik ## write coverage/index.html
	@mkdir -p coverage && scripts/test.sh -coverprofile=$(CURDIR)/coverage/all.out
	@go tool cover -html=coverage/all.out -o coverage/index.html
