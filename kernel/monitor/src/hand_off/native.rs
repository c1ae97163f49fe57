//! What a native instance is told.

use alloc::vec::Vec;

use partition::{Plan, Range};
use sharedmem::abi::{ABI_REVISION, FURTHER_STACK_BYTES};
use sharedmem::hand_off::{
    COMMAND_LINE_MAX, HAND_OFF_MAGIC, HandOff, PCI_FUNCTIONS_MAX, PciFunction,
};
use supervisor::LoadRequest;

use crate::facts::BootFacts;
use crate::ranges::{self, physical};

/// Memory of a slice that is not the service's to fill: image, tables, network buffers.
const OVERHEAD_BYTES: u64 = 11 << 20;

/// The same for each core: its stack, and its interrupt stacks.
const OVERHEAD_PER_CORE_BYTES: u64 = FURTHER_STACK_BYTES + (72 << 10);

/// Base classes.
const CLASS_STORAGE: u32 = 0x01;
const CLASS_NETWORK: u32 = 0x02;

/// The first serial port's interrupt, as the ISA bus numbers it.
const SERIAL_INTERRUPT: u8 = 4;

/// Makes the hand-off of an instance. What depends on where it is loaded is still missing.
pub fn make(facts: &BootFacts, plan: &Plan, request: &LoadRequest<'_>, entropy: u64) -> HandOff {
    // SAFETY: the hand-off is plain numbers, for which zeros are valid.
    let mut hand_off: HandOff = unsafe { core::mem::zeroed() };
    hand_off.magic = HAND_OFF_MAGIC;
    hand_off.abi_revision = ABI_REVISION;
    hand_off.instance = request.instance.number() as u32;
    hand_off.core_count = request.cores.len() as u32;
    for (place, core) in hand_off.core_apic_ids.iter_mut().zip(request.cores) {
        *place = facts.acpi.cpus[*core as usize].0;
    }
    hand_off.seat_apic_id = facts.seat_apic_id();
    let peer = ranges::slice(plan, request.instance.other());
    hand_off.peer = peer.first().copied().unwrap_or_default();
    hand_off.shared = physical(plan.shared);
    hand_off.service_memory_bytes = service_memory_bytes(plan);
    hand_off.entropy = entropy;
    describe_machine(facts, &mut hand_off);
    let line = facts.command_line.as_bytes();
    let length = line.len().min(COMMAND_LINE_MAX);
    hand_off.command_line[..length].copy_from_slice(&line[..length]);
    hand_off.command_line_len = length as u32;
    hand_off
}

/// Fills in interrupt controllers, time and devices.
fn describe_machine(facts: &BootFacts, hand_off: &mut HandOff) {
    let serial = facts.acpi.isa_interrupt(SERIAL_INTERRUPT);
    if let Some((io_apic, pin)) = facts.acpi.pin_of(serial.global_interrupt) {
        (hand_off.serial_io_apic, hand_off.serial_pin) = (io_apic.address, pin);
    }
    hand_off.serial_is_level = serial.level.into();
    hand_off.x2apic = facts.is_x2apic.into();
    hand_off.local_apic_address = facts.acpi.local_apic_address;
    hand_off.tsc_hz = facts.frequencies.tsc_hz;
    hand_off.tsc_at_boot = facts.tsc_at_boot;
    hand_off.apic_timer_hz = facts.frequencies.apic_timer_hz;
    let useful: Vec<PciFunction> = facts.functions.iter().copied().filter(is_useful).collect();
    for (place, function) in hand_off.pci_functions.iter_mut().zip(&useful) {
        *place = *function;
    }
    hand_off.pci_function_count = useful.len().min(PCI_FUNCTIONS_MAX) as u32;
    if let Some(count @ 1..) = useful.len().checked_sub(PCI_FUNCTIONS_MAX) {
        log::warn!(
            "{count} disks and network cards beyond the first {PCI_FUNCTIONS_MAX} are not offered to instances"
        );
    }
}

/// Returns whether a native instance may have a driver for the function: it is a disk or a network card, and its
/// configuration space is reached by the ports, which instances use.
fn is_useful(function: &PciFunction) -> bool {
    function.address >> 16 == 0 && matches!(function.class >> 24, CLASS_STORAGE | CLASS_NETWORK)
}

/// Returns how many bytes of state the service may hold: what fits into the smaller of the two slices, with a quarter
/// left for the allocator's losses.
fn service_memory_bytes(plan: &Plan) -> u64 {
    let slices = [&plan.primary, &plan.backup];
    let bytes = slices.map(|slice| slice.ranges.iter().map(Range::len).sum::<u64>());
    let smallest = bytes.into_iter().min().unwrap_or(0);
    let cores = plan.successor_cores().len() as u64;
    let overhead_bytes = OVERHEAD_BYTES + cores * OVERHEAD_PER_CORE_BYTES;
    (smallest.saturating_sub(overhead_bytes) / 4 * 3).max(1 << 20)
}
