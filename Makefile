# The two commands of the README, and what CI adds. Everything they do is in `cargo xtask`.

CARGO ?= cargo

.PHONY: demo test lint

demo:
	$(CARGO) xtask demo

test:
	$(CARGO) test --workspace --locked
	$(CARGO) xtask test

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --workspace --no-deps --locked
