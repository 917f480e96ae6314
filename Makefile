# Every job starts here: `make help` lists them.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

# Where built programs land; another place can be given with CARGO_TARGET_DIR.
TARGET := $(or $(CARGO_TARGET_DIR),target)
TOOLS := $(HOME)/.cache/sealed-dsvm/tools
# Shows what is done unless it is asked to be quiet.
CARGO := cargo --locked

.PHONY: help demo test check bless clean fmt clippy doc deny contracts deb unit e2e fuzz lab

help: ## list the jobs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: deb $(TARGET)/release/imagebuild ## build, boot and check a research desktop image from its recipe
	@scripts/demo.sh $(TARGET)/release/imagebuild

test: check unit ## run all checks and tests

check: fmt clippy doc deny contracts ## quick checks: format, lints, documents, dependencies, contracts

bless: ## write anew what is generated: schemas, control reference, snapshots
	BLESS=1 INSTA_UPDATE=always $(CARGO) test --workspace --lib --tests -- --skip end_to_end

clean: ## remove what was built here (caches outside the tree stay)
	cargo clean
	rm -rf out

fmt:
	cargo fmt --all -- --check

clippy:
	$(CARGO) clippy --workspace --all-targets -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items --quiet

deny:
	@scripts/tools.sh deny
	$(TOOLS)/bin/cargo-deny --all-features check bans licenses sources

contracts:
	@scripts/parts.sh test
	$(CARGO) test -p tests --test contracts

deb: ## build the agent's Debian package
	@scripts/parts.sh demo
	@agent/build-deb.sh

unit: deb
	@scripts/parts.sh test
	@scripts/lab-parts.sh
	$(CARGO) test --workspace -- --skip end_to_end

e2e: deb $(TARGET)/release/imagebuild ## build, interrupt, resume, compare and refuse real images
	@scripts/parts.sh test
	$(CARGO) test -p tests --test end_to_end -- --nocapture --test-threads=1

lab: ## keep Azure's stand-ins up and say how to talk to them (VM=1 for the researcher's machine too)
	@scripts/lab-parts.sh
	$(CARGO) build --quiet -p tests --bin lab
	@$(TARGET)/debug/lab $(if $(VM),--vm)

fuzz: ## search for inputs that make the loaders panic (SECONDS_EACH=60)
	scripts/fuzz.sh $(or $(SECONDS_EACH),60)

# cargo knows what is up to date; asking it every time is cheaper than guessing.
.PHONY: $(TARGET)/release/imagebuild
$(TARGET)/release/imagebuild:
	$(CARGO) build --release -p imagebuild
