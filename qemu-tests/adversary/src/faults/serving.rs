//! Kind 2: the primary is alive and serves nobody, because its card, its text or its page tables are damaged.

use std::thread;
use std::time::Duration;

use sharedmem::abi::DIRECT_BASE;
use sharedmem::event::TakeoverBegan;

use super::Fault;
use super::Outcome::{Harmless, TakenOver};
use debugger::{Debugger, Space, Symbols, VirtioNic};
use harness::machine::QemuMachine;
use harness::problem::Problem;

/// A CPU of the primary.
const PRIMARY: usize = 1;
/// More than any queue holds, so often, and the time between two times.
const JUMP: u16 = 0x4000;
const TIMES: u32 = 25;
const BETWEEN: Duration = Duration::from_millis(20);
/// `ret`: a function that begins with it does nothing.
const RETURN: u8 = 0xc3;

pub(super) fn faults() -> Vec<Fault> {
    vec![
        Fault::new(
            "nic-status-zero",
            "0 is written to the status of the virtio card",
            &[TakenOver],
            |machine| with_nic(machine, VirtioNic::reset),
        ),
        Fault::new(
            "nic-memory-off",
            "memory space is switched off in the card's PCI command register",
            &[TakenOver],
            |machine| with_nic(machine, VirtioNic::switch_off_memory),
        ),
        Fault::new(
            "receive-index",
            "the used index of the receive queue is one behind",
            &[TakenOver, Harmless],
            |machine| with_nic(machine, |nic, it| nic.move_used_index(it, 0, u16::MAX)),
        ),
        Fault::new(
            "transmit-index",
            "the used index of the transmit queue is a thousand ahead",
            // The card writes its own index with the next frame, which mends it.
            &[TakenOver, Harmless],
            |machine| with_nic(machine, |nic, it| nic.move_used_index(it, 1, 1000)),
        ),
        Fault::new(
            "text-apply",
            "the function that applies input returns at once",
            &[TakenOver],
            |machine| spoil(machine, &["Service", "apply"]),
        ),
        Fault::new(
            "text-release",
            "the function that lets frames out returns at once",
            &[TakenOver],
            |machine| spoil(machine, &["Gate", "release"]),
        ),
        Fault::new(
            "nic-page-elsewhere",
            "the page-table entry of the card's registers leads where nothing answers",
            &[TakenOver],
            |machine| misdirect(machine, |nic, _| Ok(nic.common)),
        ),
        Fault::new(
            "heap-page-elsewhere",
            "the page-table entry of the heap around the receive queue leads to other memory",
            &[TakenOver],
            |machine| {
                misdirect(machine, |nic, debugger| {
                    nic.areas(debugger, 0).map(|it| it.device)
                })
            },
        ),
        Fault::new(
            "receive-index-stays",
            "the used index of the receive queue cannot be, for half a second",
            &[TakenOver],
            hold_receive_index,
        ),
        Fault::new(
            "nic-page-gone",
            "the page-table entry of the card's registers is not present any more",
            &[TakenOver],
            nic_page,
        ),
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

/// Moves the index again and again: the card writes its own with each frame.
fn hold_receive_index(machine: &QemuMachine) -> Result<(), Problem> {
    for _ in 0..TIMES {
        let mut debugger = Debugger::attach(machine)?;
        let nic = VirtioNic::find(&mut debugger)?;
        if nic.areas(&mut debugger, 0)?.device == 0 {
            // A successor resets the card.
            break;
        }
        nic.move_used_index(&mut debugger, 0, JUMP)?;
        drop(debugger);
        thread::sleep(BETWEEN);
        if !machine.console().events::<TakeoverBegan>().is_empty() {
            break;
        }
    }
    Ok(())
}

/// Lets the primary's page-table entry for a physical address lead 16 pages further.
fn misdirect(
    machine: &QemuMachine,
    place: impl Fn(&VirtioNic, &mut Debugger) -> Result<u64, Problem>,
) -> Result<(), Problem> {
    const LARGE: u64 = 1 << 7;
    let mut debugger = Debugger::attach(machine)?;
    let nic = VirtioNic::find(&mut debugger)?;
    let place = place(&nic, &mut debugger)?;
    let (at, entry) = debugger.page_entry(PRIMARY, DIRECT_BASE + place)?;
    let page_bytes: u64 = if entry & LARGE != 0 { 2 << 20 } else { 4 << 10 };
    debugger.set_word(Space::Physical, at, entry + 16 * page_bytes)?;
    debugger.flush_tlb()
}

fn nic_page(machine: &QemuMachine) -> Result<(), Problem> {
    let mut debugger = Debugger::attach(machine)?;
    let nic = VirtioNic::find(&mut debugger)?;
    let (at, entry) = debugger.page_entry(PRIMARY, DIRECT_BASE + nic.common)?;
    debugger.set_word(Space::Physical, at, entry & !1)?;
    debugger.flush_tlb()
}
