//! What a Linux instance is told: the body of its ACPI table.

use alloc::boxed::Box;
use alloc::vec::Vec;

use partition::Plan;
use partition::cmdline::Rearm;
use partition::tenant::LINUX;
use sharedmem::hand_off::PhysicalRange;
use sharedmem::linux::{LinuxFunction, LinuxHandOff, POOL_RANGES_MAX, PciRoot, ROOTS_MAX};
use sharedmem::{ABI_REVISION, Instance, JOURNAL_REVISION};

use crate::facts::BootFacts;
use crate::ranges::physical;

/// Where an instance is, and what comes with the role of primary.
pub struct Slots {
    /// The instance's own.
    pub slot: PhysicalRange,
    /// The other's, where the next backup waits.
    pub spare: PhysicalRange,
    /// Whether the pool is to be added when it becomes the primary; a first primary has it from its boot.
    pub adds_pool: bool,
}

/// Makes the hand-off of `instance`, which is led by machine core `lead`.
pub fn make(
    facts: &BootFacts,
    plan: &Plan,
    instance: Instance,
    lead: u32,
    slots: &Slots,
) -> Box<LinuxHandOff> {
    // SAFETY: the hand-off is plain numbers, for which zeros are valid.
    let mut hand_off: Box<LinuxHandOff> = unsafe { Box::new_zeroed().assume_init() };
    let options = &plan.options;
    hand_off.abi_revision = ABI_REVISION;
    hand_off.journal_revision = JOURNAL_REVISION;
    hand_off.instance = instance.number() as u32;
    hand_off.rearm_auto = u32::from(options.failover_rearm == Rearm::Auto);
    hand_off.shared = physical(plan.shared);
    hand_off.pmem = plan.pmem.map(physical).unwrap_or_default();
    hand_off.slot = slots.slot;
    hand_off.spare = slots.spare;
    if slots.adds_pool {
        let pool = plan.pool();
        for (place, range) in hand_off.pool.iter_mut().zip(&pool) {
            *place = physical(*range);
        }
        assert!(
            pool.len() <= POOL_RANGES_MAX,
            "the plan limits the primary's ranges"
        );
        hand_off.pool_count = pool.len() as u32;
    }
    hand_off.seat_apic_id = facts.seat_apic_id();
    hand_off.tsc_hz = facts.frequencies.tsc_hz;
    hand_off.tsc_at_boot = facts.tsc_at_boot;
    hand_off.keepalive_ns = LINUX.keepalive_period_ns(options);
    hand_off.timeout_ns = options.failover_timeout_ns;
    let others = plan.successor_cores();
    let cores = [lead]
        .into_iter()
        .chain(others.into_iter().filter(|core| *core != lead));
    for (index, core) in cores.take(hand_off.core_numbers.len()).enumerate() {
        hand_off.core_numbers[index] = core;
        hand_off.core_apic_ids[index] = facts.acpi.cpus[core as usize].0;
        hand_off.core_count = index as u32 + 1;
    }
    for (place, root) in hand_off.roots.iter_mut().zip(&facts.roots) {
        *place = *root;
    }
    // The boot refuses a machine with more of either.
    hand_off.root_count = facts.roots.len() as u32;
    hand_off.function_count = facts.sized_functions.len() as u32;
    hand_off
}

/// Returns the body of the table: the hand-off, and the functions behind it.
pub fn bytes(hand_off: &LinuxHandOff, functions: &[LinuxFunction]) -> Vec<u8> {
    // SAFETY: plain structures of numbers without padding between or behind them (asserted below), read as bytes for
    // their own lifetimes.
    let (head, tail): (&[u8], &[u8]) = unsafe {
        (
            core::slice::from_raw_parts(
                core::ptr::from_ref(hand_off).cast(),
                size_of::<LinuxHandOff>(),
            ),
            core::slice::from_raw_parts(functions.as_ptr().cast(), size_of_val(functions)),
        )
    };
    [head, tail].concat()
}

const _: () = assert!(
    size_of::<LinuxHandOff>()
        == 16
            + 4 * 16
            + POOL_RANGES_MAX * 16
            + 8
            + 4 * 8
            + 16
            + 2 * 4 * sharedmem::MAX_CORES
            + ROOTS_MAX * size_of::<PciRoot>()
);
const _: () = assert!(size_of::<LinuxFunction>() == 4 * 4 + 12 * 4 + 2 * 4);
const _: () = assert!(size_of::<PciRoot>() == 4 * 4 + 8);
