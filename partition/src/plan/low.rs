//! Who gets which memory below 1 MiB, where the processors of some kinds of tenant start.

use alloc::format;
use alloc::string::String;

use sharedmem::{Instance, PerInstance};

use super::Machine;
use crate::range::Range;
use crate::refusal::Refusal;
use crate::tenant::KINDS;

/// The first 64 KiB are the firmware's and the monitor's; from 640 KiB on there is none.
const WINDOW: Range = Range::new(0x1_0000, 0xa_0000);

/// What the start code of a kernel takes, with room for what it aligns and reserves (Linux: `reserve_real_mode`).
const LOW_BYTES_MIN: u64 = 64 << 10;

const PAGE_BYTES: u64 = 4096;

/// Halves the largest run of free memory: the lower half is for instance b, the upper one for instance a. One that
/// needs none gets none.
pub(super) fn share(machine: &Machine) -> Result<PerInstance<Range>, Refusal> {
    let kinds = machine.kinds.both();
    let Some(needy) = kinds.iter().find(|kind| kind.capabilities.needs_low_memory) else {
        return Ok(PerInstance::default());
    };
    let usable = machine.memory_map.usable().inside(WINDOW);
    let free = machine
        .occupied
        .iter()
        .fold(usable, |free, (range, _)| free.without(*range))
        .align_inward(PAGE_BYTES);
    let run = free.as_slice().iter().copied().max_by_key(Range::len);
    let run = run.unwrap_or_default();
    if run.len() < 2 * LOW_BYTES_MIN {
        let reason = format!(
            "a {needy} instance needs 64 KiB below 640 KiB, and as much is kept for the other; the largest free run \
             there has {} KiB",
            run.len() >> 10
        );
        let frugal = KINDS
            .iter()
            .find(|kind| !kind.capabilities.needs_low_memory);
        let would_work = frugal.map_or(String::new(), |kind| format!("a {kind} image"));
        return Err(Refusal::new("primary_kernel", "", reason, would_work));
    }
    let middle = (run.start + run.len() / 2) & !(PAGE_BYTES - 1);
    let half = |instance| match instance {
        Instance::A => Range::new(middle, run.end),
        Instance::B => Range::new(run.start, middle),
    };
    let needs = |instance| {
        machine
            .kinds
            .of_instance(instance)
            .capabilities
            .needs_low_memory
    };
    Ok(PerInstance::from_fn(|instance| match needs(instance) {
        true => half(instance),
        false => Range::default(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::{Kinds, LINUX, NATIVE};

    #[test]
    fn the_largest_run_is_halved() {
        let mut machine = Machine::typical(4, 1 << 30);
        assert_eq!(share(&machine), Ok(PerInstance::default()));
        machine.kinds = Kinds {
            primary: &LINUX,
            backup: &LINUX,
        };
        assert_eq!(
            share(&machine),
            Ok(PerInstance::new(
                Range::new(0x5_7000, 0x9_f000),
                Range::new(0x1_0000, 0x5_7000)
            ))
        );
        machine.kinds.backup = &NATIVE;
        assert_eq!(share(&machine).unwrap()[Instance::B], Range::default());
        machine.occupied.push((Range::new(0x2_0000, 0x9_0000), "x"));
        let refusal = share(&machine).unwrap_err();
        assert!(refusal.reason.ends_with("has 64 KiB"), "{refusal}");
    }
}
