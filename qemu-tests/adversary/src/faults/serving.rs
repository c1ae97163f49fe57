//! Kind 2: the primary is alive and serves nobody, because its card, its text or its page tables are damaged.

use sharedmem::abi::DIRECT_BASE;

use super::Fault;
use super::Outcome::{Harmless, TakenOver};
use harness::debugger::{Debugger, Space, Symbols, VirtioNic};
use harness::machine::QemuMachine;
use harness::problem::Problem;

/// A CPU of the primary.
const PRIMARY: usize = 1;
/// `ret`: a function that begins with it does nothing.
const RETURN: u8 = 0xc3;

pub(super) fn faults() -> Vec<Fault> {
    vec![
        Fault {
            name: "nic-status-zero",
            doc: "0 is written to the status of the virtio card",
            expected: &[TakenOver],
            strike: |machine| with_nic(machine, VirtioNic::reset),
        },
        Fault {
            name: "nic-memory-off",
            doc: "memory space is switched off in the card's PCI command register",
            expected: &[TakenOver],
            strike: |machine| with_nic(machine, VirtioNic::switch_off_memory),
        },
        Fault {
            name: "receive-index",
            doc: "the used index of the receive queue is one behind",
            expected: &[TakenOver, Harmless],
            strike: |machine| with_nic(machine, |nic, it| nic.move_used_index(it, 0, u16::MAX)),
        },
        Fault {
            name: "transmit-index",
            doc: "the used index of the transmit queue is a thousand ahead",
            // The card writes its own index with the next frame, which mends it.
            expected: &[TakenOver, Harmless],
            strike: |machine| with_nic(machine, |nic, it| nic.move_used_index(it, 1, 1000)),
        },
        Fault {
            name: "text-apply",
            doc: "the function that applies input returns at once",
            expected: &[TakenOver],
            strike: |machine| spoil(machine, &["Service", "apply"]),
        },
        Fault {
            name: "text-release",
            doc: "the function that lets frames out returns at once",
            expected: &[TakenOver],
            strike: |machine| spoil(machine, &["Gate", "release"]),
        },
        Fault {
            name: "nic-page-gone",
            doc: "the page-table entry of the card's registers is not present any more",
            expected: &[TakenOver],
            strike: nic_page,
        },
    ]
}

fn with_nic(
    machine: &QemuMachine,
    strike: impl Fn(&VirtioNic, &mut Debugger) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let mut debugger = Debugger::attach(machine)?;
    let nic = VirtioNic::find(&mut debugger)?;
    strike(&nic, &mut debugger)
}

fn spoil(machine: &QemuMachine, function: &[&str]) -> Result<(), Problem> {
    let function = Symbols::of_instance()?.find(function)?;
    let mut debugger = Debugger::attach(machine)?;
    debugger.write(Space::Cpu(PRIMARY), function.address, &[RETURN])
}

fn nic_page(machine: &QemuMachine) -> Result<(), Problem> {
    let mut debugger = Debugger::attach(machine)?;
    let nic = VirtioNic::find(&mut debugger)?;
    let (at, entry) = debugger.page_entry(PRIMARY, DIRECT_BASE + nic.common)?;
    debugger.set_word(Space::Physical, at, entry & !1)?;
    debugger.flush_tlb()
}
