# `make help` lists the targets.

.PHONY: help setup build test test-rust

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | column -t -s '	'

setup: ## install what is missing
	@scripts/setup

build: setup ## target/release
	cargo build --release --locked

test: setup test-rust ## everything

test-rust: ## the engine and the command
	cargo test --locked
