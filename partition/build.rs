//! Rebuilds the crate when the default time-out changes, which is taken from the environment at build time.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=FAILOVER_TIMEOUT_MS");
}
