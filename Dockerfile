# Debian 12 with QEMU 10 from its backports; `make demo` and `make test` are meant to pass in it.
# Never built by its authors: there is no container engine where it was written.
#
#   docker build --tag understudy .
#   docker run --rm understudy make test      # with KVM, where the host has it: --device /dev/kvm
FROM rust:bookworm
RUN rustup toolchain install stable --profile minimal --component clippy --component rustfmt
WORKDIR /understudy
COPY . .
RUN cargo xtask setup
CMD ["make", "demo"]
