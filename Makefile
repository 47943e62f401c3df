# One word per verb; each calls a script that works without make, too.
.DEFAULT_GOAL := help
SAM_CLI_VERSION := 1.170.0
.PHONY: help dev demo test check security fuzz deployment format pins build

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

dev: ## The whole product on this machine (Ctrl-C ends it)
	@scripts/dev

demo: ## A fresh stack, a scripted client: sign in, search, read; then gone
	@scripts/dev demo

test: ## The tests
	@scripts/test

check: ## All that CI checks: lint, format, types, import contracts, tests
	@scripts/check

security: ## Weaknesses in code, template and workflows, secrets in the tree, lists of what is shipped
	@scripts/security_scan

fuzz: ## Made-up requests to both doors for a minute; every answer is judged
	@scripts/fuzz

deployment: ## What is deployed: template, sam build, artifacts, every event on two emulators
	@scripts/check_deployment

format: ## Put the code into its one format
	@bin=$$(dirname "$$(scripts/bootstrap)") && "$$bin/ruff" check --fix --quiet . && "$$bin/ruff" format --quiet .

pins: ## Recompile requirements/*.txt from requirements/*.in
	@scripts/pins

build: ## The deployable artifacts, as `sam build` makes them
	@uv=$$(dirname "$$(scripts/bootstrap)")/uv && "$$uv" tool run --from aws-sam-cli==$(SAM_CLI_VERSION) sam build

# `sam build` calls build-<LogicalId> for every function, with ARTIFACTS_DIR set.
build-McpEndpointFunction: ; @scripts/build mcp_endpoint "$(ARTIFACTS_DIR)"
build-OAuthFunction: ; @scripts/build oauth "$(ARTIFACTS_DIR)"
build-TokenRefreshFunction: ; @scripts/build token_refresh "$(ARTIFACTS_DIR)"
build-CleanupFunction: ; @scripts/build cleanup "$(ARTIFACTS_DIR)"
build-MigrateFunction: ; @scripts/build migrate "$(ARTIFACTS_DIR)"
build-CanaryFunction: ; @scripts/build canary "$(ARTIFACTS_DIR)"
build-ReleaseCheckFunction: ; @scripts/build release_check "$(ARTIFACTS_DIR)"
