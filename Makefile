# `make help` lists the targets.

HOOKS = --features test-hooks
# What only tests load is built in a third of the time without optimization across crates.
TEST_PROFILE = CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
# Set by test-targets: small numbers, nothing written into docs/.
QUICK = $(FLAGSTONE_QUICK)
# Each target builds a crate once, so what the compiler would keep for the next time is only disk.
export CARGO_INCREMENTAL = 0

# Targets that share nothing but what was built run two at a time. The others measure time, or count system calls while a server
# is under load, and have the machine for themselves.
TOGETHER = test-rust test-trixie test-laravel test-zts test-fuzz test-parity test-polyfill test-targets test-install
ALONE = test-php test-doctor test-e2e test-laravel-e2e

.PHONY: help analyse setup setup-build build build-hooks build-bench demo demo-laravel bench bench-engine test test-rust test-php test-polyfill test-parity test-laravel test-trixie test-php84 test-laravel-10 test-laravel-13 test-e2e test-laravel-e2e test-doctor test-install test-zts test-fuzz test-targets test-proofs bench-changes fuzz install uninstall

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

setup: ## install from Debian's packages what is missing
	@scripts/setup

setup-build:
	@scripts/setup build

# One by one: built together, the extension would link what only the command needs of the engine.
build: setup-build ## the extension and the command, in target/release
	cargo build --release --locked -p flagstone-cli
	scripts/for-php cargo build --release --locked -p flagstone-php

build-hooks: setup-build
	$(TEST_PROFILE) scripts/for-php cargo build --release --locked -p flagstone-php $(HOOKS) --target-dir target/hooks

# As the extension that users load, but that it lets a store be changed within one process.
build-bench: setup-build
	scripts/for-php cargo build --release --locked -p flagstone-php $(HOOKS) --target-dir target/bench

demo: setup build $(if $(QUICK),build-hooks,build-bench) ## publish, ask, explain, change, ask again, measure
	@scripts/demo

demo-laravel: setup build ## a rollout in a Laravel application under nginx and php-fpm, and what each company sees
	@examples/laravel/demo

bench: setup build $(if $(QUICK),build-hooks,build-bench) ## side by side with pure PHP, writes docs/benchmarks.md; then a Laravel request's flags
	@scripts/bench
	@benches/php/laravel/run

bench-engine: setup ## the engine without PHP: time, and instructions
	cargo $(if $(QUICK),test,bench) --locked --bench evaluate --bench open --bench instructions

bench-changes: setup build ## how long each word that changes a store takes with 10,000 flags and a million companies
	benches/changes/run

test: setup build build-hooks ## everything; two at a time what can be, whose output is shown when it ends
	@scripts/timed --begin
	@status=0; \
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target $(TOGETHER) || status=1; \
	[ $$status -ne 0 ] || $(MAKE) --no-print-directory --jobs=1 $(ALONE) || status=1; \
	scripts/timed --sum; exit $$status

test-rust: setup ## the engine and the command
	@scripts/timed $@ cargo test --locked --workspace --exclude flagstone-php

test-php: setup build build-hooks ## the extension, by PHP's own run-tests.php
	@scripts/timed $@ tests/php/run

test-polyfill: setup build ## the polyfill, in plain PHP
	@scripts/timed $@ tests/polyfill/run

test-parity: setup build ## the extension and the polyfill answer the same questions alike
	@scripts/timed $@ sh -ec 'tests/parity/run; tests/trust/run'

test-laravel: setup build ## the Laravel package, with the extension and without; then a newcomer's way with its README
	@scripts/timed $@ sh -ec 'laravel/tests/run; tests/laravel/newcomer'

test-php84: setup build ## the extension against PHP 8.4, in a folder with Debian 13
	@scripts/timed $@ tests/php/debian trixie 8.4

test-laravel-10: setup build ## the Laravel package on Laravel 10 and PHP 8.4, in that folder
	@scripts/timed $@ laravel/tests/debian trixie 8.4

# One after the other: they share the folder.
test-trixie: setup build ## the last two
	@scripts/timed test-php84 tests/php/debian trixie 8.4
	@scripts/timed test-laravel-10 laravel/tests/debian trixie 8.4

test-laravel-13: setup build ## the same on Laravel 13, in a folder with Debian testing; not in make test, as that moves
	@scripts/timed $@ laravel/tests/debian forky 8.4

test-e2e: setup build ## nginx, php-fpm and wrk while snapshots are published, everything is stopped, and every file is damaged
	@scripts/timed $@ sh -ec 'tests/e2e/run; tests/e2e/outcome; tests/e2e/guard; tests/e2e/emergency; tests/e2e/damage'

test-laravel-e2e: setup build ## the example application under nginx, php-fpm and wrk while its flag changes, is deployed, and does harm
	@scripts/timed $@ sh -ec 'tests/laravel/run; tests/laravel/releases; tests/laravel/guard; \
		FLAGSTONE_WIRE_FPM=1 laravel/tests/run --filter AbsentPathWireTest'

test-doctor: setup build ## `flagstone doctor` before a real PHP and a real php-fpm, pools of one php-fpm beside each other, and the example without a framework
	@scripts/timed $@ sh -ec 'tests/doctor/run; tests/pools/run'

test-install: setup build ## make install and make uninstall, in a directory; the lines that the README has after them; demos and tests beside an installed store
	@scripts/timed $@ sh -ec 'tests/install/run; tests/install/readme; tests/install/apart'

test-zts: setup build ## the extension in PHP with threads, which is built from Debian's source first
	@scripts/timed $@ sh -ec 'zts=$$(scripts/php-zts); PHP=$$zts/bin/php PHP_CONFIG=$$zts/bin/php-config $(TEST_PROFILE) cargo build --release \
		--locked -p flagstone-php $(HOOKS) --target-dir target/zts; tests/threads/run'

test-fuzz: setup ## each fuzz target for ten seconds, from the inputs that are kept in fuzz/seeds
	@scripts/timed $@ fuzz/run 10

test-targets: setup build build-hooks ## what no other test starts: benchmarks, demos and the static analysis, with small numbers
	@scripts/timed $@ tests/targets/run

# What make test does some hundred times, as often as it is promised.
test-proofs: setup build ## 10,000 kill -9, 300 stops and kills under load, 20 publishers at once 100 times, each fuzz target for a minute; most of an hour, so not in make test
	FLAGSTONE_TEST_KILLS=10000 FLAGSTONE_TEST_ROUNDS=100 cargo test --locked --workspace --exclude flagstone-php -- --nocapture killed_at_any_moment twenty_publishers
	FLAGSTONE_TEST_MATRIX=whole cargo test --locked -p flagstone-cli --test attack
	tests/e2e/emergency 50
	fuzz/run 60

analyse: setup ## static analysis of the PHP in laravel/ and polyfill/; builds mago first, ten minutes
	scripts/analyse

fuzz: ## hostile bytes, SECONDS=60 for each target; what brings one down is left in fuzz/artifacts
	fuzz/run $(or $(SECONDS),60)

install: ## the extension into PHP, the command into /usr/local/bin
	@scripts/install

uninstall: ## take both away again; stores stay
	@scripts/install remove
