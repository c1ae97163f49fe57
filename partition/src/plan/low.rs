//! Who gets which memory below 1 MiB, where processors of a Linux start.

use alloc::format;

use super::Machine;
use crate::content::Kind;
use crate::range::Range;
use crate::refusal::Refusal;

/// The first 64 KiB are the firmware's and the monitor's; from 640 KiB on there is none.
const WINDOW: Range = Range::new(0x1_0000, 0xa_0000);

/// What a Linux' start code takes, with room for what it aligns and reserves (`reserve_real_mode`).
const LOW_BYTES_MIN: u64 = 64 << 10;

const PAGE_BYTES: u64 = 4096;

/// Halves the largest run of free memory there is: the lower half is instance 1's, the upper one instance 0's.
pub(super) fn share(machine: &Machine) -> Result<[Range; 2], Refusal> {
    if !machine.kinds.has_linux() {
        return Ok([Range::default(); 2]);
    }
    let usable = machine.memory_map.usable().inside(WINDOW);
    let free = machine
        .occupied
        .iter()
        .fold(usable, |free, (range, _)| free.without(*range))
        .align_inward(PAGE_BYTES);
    let run = free.as_slice().iter().copied().max_by_key(Range::len);
    let run = run.unwrap_or_default();
    if run.len() < 2 * LOW_BYTES_MIN {
        return Err(Refusal::new(
            "primary_kernel",
            "",
            format!(
                "a Linux needs 64 KiB below 640 KiB for each instance, the largest free run there has {} KiB",
                run.len() >> 10
            ),
            "a native image",
        ));
    }
    let middle = (run.start + run.len() / 2) & !(PAGE_BYTES - 1);
    let of = |kind, range| match kind {
        Kind::Linux => range,
        Kind::Native => Range::default(),
    };
    Ok([
        of(machine.kinds.primary, Range::new(middle, run.end)),
        of(machine.kinds.backup, Range::new(run.start, middle)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Kinds;

    #[test]
    fn the_largest_run_is_halved() {
        let mut machine = Machine::typical(4, 1 << 30);
        assert_eq!(share(&machine), Ok([Range::default(); 2]));
        machine.kinds = Kinds {
            primary: Kind::Linux,
            backup: Kind::Linux,
        };
        assert_eq!(
            share(&machine),
            Ok([
                Range::new(0x5_7000, 0x9_f000),
                Range::new(0x1_0000, 0x5_7000)
            ])
        );
        machine.kinds.backup = Kind::Native;
        assert_eq!(share(&machine).unwrap()[1], Range::default());
        machine.occupied.push((Range::new(0x2_0000, 0x9_0000), "x"));
        let refusal = share(&machine).unwrap_err();
        assert!(refusal.reason.ends_with("has 64 KiB"), "{refusal}");
    }
}
