//! Failures of the emulator itself, which say nothing about the guest.
//!
//! With a thread for each CPU, QEMU's translator keeps a CPU's view of the memory map longer than the map lives. One
//! CPU changes the map (a write to a PCI command register is enough) while another accesses a device by memory (an
//! xAPIC is one): that access reaches the wrong device. QEMU mostly ends with an assertion of its own, in the device
//! that was hit. Seen with QEMU 10.0 in about one of twenty takeovers with 8 CPUs on 2 CPUs of the host.

use std::fs;
use std::path::Path;

use crate::problem::Problem;

/// Makes an attempt that starts a machine with the log at `log`. If QEMU itself failed, says so and makes one more.
///
/// # Errors
/// Those of `attempt`.
pub fn once_more<T>(
    name: &str,
    log: &Path,
    attempt: impl Fn() -> Result<T, Problem>,
) -> Result<T, Problem> {
    attempt().or_else(|problem| {
        let assertion = own_failure(log).ok_or(problem)?;
        eprintln!("{name}: once more, as QEMU itself failed: {assertion}");
        attempt()
    })
}

/// Returns QEMU's last words in a log, if it ended with an assertion of its own.
fn own_failure(log: &Path) -> Option<String> {
    let bytes = fs::read(log).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let last_words = text.lines().rev().find(|line| is_assertion(line))?;
    Some(last_words.to_owned())
}

/// Says whether a line is a failed `assert` of the C library, or of GLib.
fn is_assertion(line: &str) -> bool {
    line.strip_prefix("qemu: ").is_some_and(|words| {
        words.contains(": Assertion `")
            || (words.contains("ERROR:") && words.contains("assertion failed"))
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::{files, paths};

    const ASTRAY: &str = "[    0.246023] monitor: protected: a backup is ready\n\
        qemu: qemu-system-x86_64: physmem.c:2678: iotlb_to_section: Assertion `index < sections_nb' failed.\n";

    fn attempts(
        name: &str,
        log: &str,
        outcomes: &[Result<u8, Problem>],
    ) -> (usize, Result<u8, Problem>) {
        let path = paths::log(name);
        files::write(&path, log.as_bytes()).unwrap();
        let count = Cell::new(0);
        let outcome = once_more(name, &path, || {
            count.set(count.get() + 1);
            outcomes[count.get() - 1].clone()
        });
        (count.get(), outcome)
    }

    #[test]
    fn an_attempt_is_repeated_once_and_only_if_qemu_failed() {
        let failed = |text: &str| Err(Problem::Failed(text.into()));
        let (count, outcome) = attempts("unit-astray", ASTRAY, &[failed("hung up"), Ok(7)]);
        assert_eq!((count, outcome), (2, Ok(7)));
        let (count, outcome) = attempts("unit-astray", ASTRAY, &[failed("1"), failed("2")]);
        assert_eq!((count, outcome), (2, failed("2")));
        let (count, outcome) = attempts("unit-astray", ASTRAY, &[Ok(7)]);
        assert_eq!((count, outcome), (1, Ok(7)));
        let guests = "[    0.1] a: Assertion `x' failed.\nqemu: warning: something\n";
        let (count, outcome) = attempts("unit-astray", guests, &[failed("guest")]);
        assert_eq!((count, outcome), (1, failed("guest")));
    }

    #[test]
    fn assertions_of_both_libraries_are_known() {
        assert!(is_assertion(
            "qemu: **\nqemu: ERROR:../hw/a.c:1:f: assertion failed: (x)"
        ));
        assert!(is_assertion(
            "qemu: qemu-system-x86_64: msix.c:228: msix_table_mmio_write: Assertion `addr + size <= nr' failed."
        ));
        assert!(!is_assertion("qemu: Triple fault"));
    }
}
