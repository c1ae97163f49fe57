# The two commands of the README, and what CI adds. Everything they do is in `cargo xtask`.
# Arguments are passed on: make demo ARGS=--json

CARGO ?= cargo
# The kernel images and the fuzzer are not default members of the workspace (see Cargo.toml).
IMAGES = --package monitor --package instance --package compute-node --package compute-c \
	--features compute-node/image,compute-c/image --target x86_64-unknown-linux-gnu

.PHONY: demo test lint toolchain

# Boots machines, kills the kernel under a writing client, and shows that nothing acknowledged is lost.
demo: toolchain
	-$(CARGO) xtask setup --machines-only
	$(CARGO) xtask demo $(ARGS)

# Unit and property tests on the host, the lock-free structures under the model checker, unsafe code under valgrind; then
# the tests that need a machine. Tests that need what cannot be installed are skipped, and name it.
test: toolchain
	-$(CARGO) xtask setup
	$(CARGO) test --locked
	$(CARGO) xtask loom
	$(CARGO) xtask memcheck
	$(CARGO) test --locked --package fuzz
	$(CARGO) xtask test $(ARGS)

lint: toolchain
	$(CARGO) fmt --all --check
	$(CARGO) clippy --all-targets --locked -- --deny warnings
	$(CARGO) clippy $(IMAGES) --locked -- --deny warnings
	$(CARGO) clippy --package fuzz --all-targets --locked -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --no-deps --locked
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --package fuzz --no-deps --locked
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc $(IMAGES) --no-deps --locked --document-private-items
	$(CARGO) xtask dependencies

# What `cargo xtask setup` cannot install, as it is built with it.
toolchain:
	@command -v $(CARGO) >/dev/null || { \
		echo "Rust is missing: install the stable toolchain, 1.95 or later, with rustup" >&2; \
		echo "(package 'rustup', or the installer of the Rust project)," >&2; \
		echo "then open a new shell, so that cargo is found, and type the same again." >&2; exit 1; }
	@command -v cc >/dev/null || { \
		echo "A C compiler is missing, which Rust links with: on Debian, 'apt-get install gcc libc6-dev'." >&2; exit 1; }
