//! Runs libFuzzer on one property: that of the target that the environment variable `FUZZ_TARGET` names. The arguments
//! are libFuzzer's.
//!
//! All targets are in one program: libFuzzer does not see the coverage of code that its target does not run.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static PROPERTY: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    match fuzz::target(&name) {
        Some(target) => target.property,
        None => {
            eprintln!(
                "fuzzer: FUZZ_TARGET={name}: there is no such target; `cargo xtask fuzz --list` shows them"
            );
            std::process::exit(2);
        }
    }
});

fuzz_target!(init: LazyLock::force(&PROPERTY), |data: &[u8]| PROPERTY(data));
