SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test bench bench-relay bench-call test-devices assets deb setup

# rustup installs here; a shell opened before that does not know it yet.
export PATH := $(PATH):$(HOME)/.cargo/bin
target := $(or $(CARGO_TARGET_DIR),target)
# The whole workspace: other parts of it than the two programs would get other features, and be built once more.
build := cargo build --release --locked --workspace --bins

help: ## say what can be made
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name what; do \
		printf '  make %-14s %s\n' "$$name" "$$what"; done

run: ## build, and open a call between Ana and Ben on this machine
	@.ci/setup run
	cargo build --release --locked -p app -p relay
	$(target)/release/tvphone demo

test: ## run all the tests, but those on real devices
	@.ci/setup test
	@.ci/test

bench: ## measure, and print one table: bar, measured, peer, verdict
	@.ci/setup bench
	$(build)
	TVPHONE_BENCH_CASES=$${TVPHONE_BENCH_CASES:-loopback} cargo bench --locked --workspace --bench codec --bench call --bench ear --bench relay --bench window
	$(target)/release/table

bench-relay: ## measure the relay alone, beside nchan: fan-out, parked polls, idle clients, sign-ins, chat
	@.ci/setup bench
	$(build)
	cargo bench --locked --workspace --bench relay
	$(target)/release/table relay-

bench-call: ## measure calls over bad networks, beside what is possible: table, and report in target/bench/call.html (needs root)
	@.ci/setup bench
	$(build)
	cargo bench --locked --workspace --bench call
	$(target)/release/table call

test-devices: ## hold a call on a machine with a real camera and sound card, emulated (needs root)
	@.ci/setup devices
	tests/devices/run

assets: ## draw the clips, sounds and icons in assets/ anew
	@.ci/setup assets
	$(build)
	$(target)/release/make-assets

deb: ## make Debian packages of the two programs in target/debian
	@.ci/setup run
	cargo build --profile dist --locked -p app -p relay
	assets/debian/make-deb $(target)/dist $(target)/debian

setup: ## install what building and running need
	@.ci/setup run
