//! Both kinds of unit, with hardware that remembers all it was not told to forget.

mod amd;
mod hardware;
mod intel;
mod memory;
mod reach;

use core::ops::Range;
use core::slice::from_ref;
use std::vec;
use std::vec::Vec;

use super::*;
use amd::FakeAmd;
use hardware::Outcome::{self, Reached, Stopped, Untranslated};
use hardware::Probe;
use intel::FakeIntel;
use memory::FakeMemory;

const MIB: u64 = 1 << 20;
const TABLES: u64 = 0x4000_0000;
const OLD: u64 = 0x5000_0000;

/// A network card, a disk behind a bridge, and what the owners have.
const CARD: u16 = 0x0010;
const DISK: u16 = 0x0300;
const OWNERS: [Range<u64>; 2] = [16 * MIB..64 * MIB, 64 * MIB..100 * MIB];
const MONITOR: u64 = MIB;

/// Returns what each owner's card and disk may access, and what they may not.
fn probes() -> Vec<Probe> {
    let places = [OWNERS[0].start, OWNERS[1].start + 0x5000, MONITOR, TABLES];
    let of = |function| places.map(|place| (function, place));
    [of(CARD), of(DISK)].concat()
}

fn owners() -> [Vec<Range<u64>>; 2] {
    OWNERS.map(|range| vec![range])
}

fn frames() -> Frames {
    Frames::new(TABLES, TABLES + 8 * MIB)
}

/// A fake of either kind.
#[derive(Clone)]
enum Fake {
    Intel(FakeIntel),
    Amd(FakeAmd),
}

impl Registers for Fake {
    fn read32(&mut self, offset: u64) -> u32 {
        match self {
            Self::Intel(fake) => fake.read32(offset),
            Self::Amd(fake) => fake.read32(offset),
        }
    }

    fn read64(&mut self, offset: u64) -> u64 {
        match self {
            Self::Intel(fake) => fake.read64(offset),
            Self::Amd(fake) => fake.read64(offset),
        }
    }

    fn write32(&mut self, offset: u64, value: u32) {
        match self {
            Self::Intel(fake) => fake.write32(offset, value),
            Self::Amd(fake) => fake.write32(offset, value),
        }
    }

    fn write64(&mut self, offset: u64, value: u64) {
        match self {
            Self::Intel(fake) => fake.write64(offset, value),
            Self::Amd(fake) => fake.write64(offset, value),
        }
    }
}

impl Fake {
    fn access(&self, probe: Probe) -> Outcome {
        match self {
            Self::Intel(fake) => fake.access(probe),
            Self::Amd(fake) => fake.access(probe),
        }
    }

    /// Lets devices access these from now on, at each step.
    fn drive(&self, probes: Vec<Probe>) {
        let traffic = |traffic: &mut hardware::Traffic| {
            traffic.probes = probes;
            traffic.seen.clear();
        };
        match self {
            Self::Intel(fake) => traffic(&mut fake.0.borrow_mut().traffic),
            Self::Amd(fake) => traffic(&mut fake.0.borrow_mut().traffic),
        }
    }

    fn seen(&self) -> Vec<(Probe, Outcome)> {
        match self {
            Self::Intel(fake) => fake.0.borrow().traffic.seen.clone(),
            Self::Amd(fake) => fake.0.borrow().traffic.seen.clone(),
        }
    }

    fn unit(&self) -> Unit<Self> {
        match self {
            Self::Intel(_) => Unit::intel(self.clone(), 0),
            Self::Amd(_) => Unit::amd(self.clone(), 0),
        }
    }

    /// Makes the unit deaf to what invalidates.
    fn deafen(&self) {
        match self {
            Self::Intel(fake) => fake.0.borrow_mut().is_deaf = true,
            Self::Amd(fake) => fake.0.borrow_mut().is_deaf = true,
        }
    }

    /// Leaves the unit as another owner does that translates: card and disk reach everything.
    fn leave_on(&self, memory: &FakeMemory) {
        let functions = [CARD, DISK];
        match self {
            Self::Intel(fake) => {
                let root = intel::old_tables(memory, OLD, &functions)[0];
                let mut state = fake.0.borrow_mut();
                (state.root, state.root_written) = (root, root);
                // Translation, queue and interrupt remapping are on.
                state.status = 1 << 31 | 1 << 30 | 1 << 26 | 1 << 25;
                state.queue = [0x30, 0x30, OLD + 0x8000];
                state.protected = 1 << 31 | 1;
            }
            Self::Amd(fake) => {
                amd::old_tables(memory, OLD, &functions);
                let mut state = fake.0.borrow_mut();
                state.table = OLD | 511;
                state.control = 1 | 1 << 2 | 1 << 12 | 0b11 << 3;
                state.commands = [OLD + 0x40_0000, 0x30, 0x30];
                state.events = [OLD + 0x41_0000, 0, 0x10];
            }
        }
    }
}

/// Makes a machine with one unit, of each kind there is.
fn machines() -> Vec<(FakeMemory, Fake)> {
    let mut machines = Vec::new();
    for (capability, extended) in [
        (0, intel::COHERENT),
        (0, intel::COHERENT | intel::QUEUE),
        (intel::WRITE_BUFFER | intel::PROTECTED_MEMORY, 0),
        (intel::WRITE_BUFFER, intel::QUEUE),
    ] {
        let is_coherent = extended & intel::COHERENT != 0;
        let memory = FakeMemory::new(is_coherent, capability & intel::WRITE_BUFFER != 0);
        let fake = FakeIntel::new(&memory, capability, extended);
        machines.push((memory, Fake::Intel(fake)));
    }
    for can_invalidate_all in [false, true] {
        let memory = FakeMemory::new(true, false);
        let fake = FakeAmd::new(&memory, can_invalidate_all);
        machines.push((memory, Fake::Amd(fake)));
    }
    machines
}

fn iommus(memory: &FakeMemory, fakes: &[Fake]) -> Iommus<Fake, FakeMemory> {
    let units: Vec<_> = fakes.iter().map(Fake::unit).collect();
    let shape = common_shape(units.iter().map(Unit::shape)).unwrap();
    Iommus::new(memory.clone(), frames(), shape, units, &owners()).unwrap()
}

/// Checks that card and disk reach what `owner` has, and no more; nothing if there is none.
fn check(fake: &Fake, owner: Option<usize>) {
    for probe in probes() {
        let is_own = owner.is_some_and(|owner| OWNERS[owner].contains(&probe.1));
        let expected = if is_own { Reached } else { Stopped };
        assert_eq!(fake.access(probe), expected, "{owner:?}: {probe:x?}");
    }
}

#[test]
fn devices_reach_the_owners_memory_and_at_a_takeover_nothing_and_then_the_next_owners() {
    for (memory, fake) in machines() {
        let mut iommus = iommus(&memory, from_ref(&fake));
        iommus.grant(0, &[]).unwrap_or_default();
        let found = iommus.take_over();
        assert_eq!(found, [Ok(Found::default())]);
        fake.drive(probes());
        for (before, after) in [(0, 1), (1, 0), (0, 0)] {
            iommus.grant(before, &[]).unwrap();
            check(&fake, Some(before));
            iommus.deny().unwrap();
            check(&fake, None);
            iommus.grant(after, &[]).unwrap();
            check(&fake, Some(after));
        }
        let passed = fake.seen().iter().any(|it| it.1 == Untranslated);
        assert!(!passed, "an access passed untranslated");
    }
}

#[test]
fn what_another_owner_left_on_is_taken_over_without_a_gap() {
    for (memory, fake) in machines() {
        fake.leave_on(&memory);
        let mut iommus = iommus(&memory, from_ref(&fake));
        assert_eq!(fake.access((CARD, MONITOR)), Reached, "the other owner's");
        fake.drive(probes());
        let found = iommus.take_over();
        let expected = Found {
            was_translating: true,
            was_remapping: true,
            was_off: false,
        };
        assert_eq!(found, [Ok(expected)]);
        check(&fake, None);
        iommus.grant(1, &[]).unwrap();
        check(&fake, Some(1));
        let passed = fake.seen().iter().any(|it| it.1 == Untranslated);
        assert!(!passed, "an access passed untranslated");
        if let Fake::Intel(fake) = &fake {
            let state = fake.0.borrow();
            assert_eq!(state.status & 1 << 25, 0, "interrupts are not remapped");
            let bars = state.capability & intel::PROTECTED_MEMORY != 0;
            assert!(!bars || state.protected == 0, "no memory is barred");
        }
    }
}

#[test]
fn tables_of_another_form_are_given_up_with_the_unit_off_and_that_is_said() {
    let memory = FakeMemory::new(true, false);
    let fake = FakeIntel::new(&memory, 0, intel::COHERENT | intel::QUEUE);
    {
        let mut state = fake.0.borrow_mut();
        state.status = 1 << 31 | 1 << 30;
        state.root_written = OLD | 1 << 10;
    }
    let fake = Fake::Intel(fake);
    let mut iommus = iommus(&memory, from_ref(&fake));
    let found = iommus.take_over().remove(0).unwrap();
    assert!(found.was_off && found.was_translating);
    check(&fake, None);
}

#[test]
fn a_function_that_is_withheld_reaches_nothing_and_its_neighbours_what_is_theirs() {
    for (memory, fake) in machines() {
        let mut iommus = iommus(&memory, from_ref(&fake));
        iommus.take_over();
        iommus.grant(0, &[]).unwrap();
        check(&fake, Some(0));
        iommus.deny().unwrap();
        iommus
            .grant(1, &[DISK.into(), 0x1_0000 | u32::from(CARD)])
            .unwrap();
        let place = OWNERS[1].start;
        assert_eq!(fake.access((DISK, place)), Stopped);
        for neighbour in [CARD, DISK + 1, DISK - 1] {
            assert_eq!(fake.access((neighbour, place)), Reached);
        }
        iommus.deny().unwrap();
        iommus.grant(0, &[]).unwrap();
        check(&fake, Some(0));
    }
}

#[test]
fn functions_on_any_number_of_buses_are_withheld() {
    for (memory, fake) in machines() {
        let mut iommus = iommus(&memory, from_ref(&fake));
        iommus.take_over();
        let withheld: Vec<u32> = (0..100).map(|bus| bus << 8 | 8).collect();
        iommus.grant(0, &withheld).unwrap();
        let place = OWNERS[0].start;
        for id in &withheld {
            assert_eq!(fake.access((*id as u16, place)), Stopped, "{id:#x}");
        }
        for id in [0x0009, 0x1f07, 0xc808] {
            assert_eq!(fake.access((id, place)), Reached, "{id:#x}");
        }
        iommus.grant(0, &[]).unwrap();
        assert_eq!(fake.access((8, place)), Reached);
        assert_eq!(fake.access((99 << 8 | 8, place)), Reached);
    }
}

#[test]
fn stopped_accesses_are_named() {
    for (memory, fake) in machines() {
        let mut iommus = iommus(&memory, from_ref(&fake));
        iommus.take_over();
        iommus.grant(0, &[]).unwrap();
        assert_eq!(iommus.take_faults(), (vec![], false));
        for round in 0..300 {
            let address = OWNERS[1].start + round * 4096;
            fake.access((DISK, address + 8));
            let (faults, has_more) = iommus.take_faults();
            assert!(!has_more);
            assert_eq!(faults.len(), 1, "round {round}");
            assert_eq!(
                (faults[0].function, faults[0].address),
                (DISK.into(), address)
            );
            assert_eq!(faults[0].access, Access::Write);
        }
        for page in 0..300 {
            fake.access((CARD, OWNERS[1].start + page * 4096));
        }
        let (faults, has_more) = iommus.take_faults();
        assert!(has_more && !faults.is_empty());
        fake.access((CARD, MONITOR));
        let (faults, has_more) = iommus.take_faults();
        assert_eq!((faults.len(), has_more), (1, false), "it notes again");
    }
}

#[test]
fn a_unit_that_does_not_obey_is_named_and_the_others_are_told_nevertheless() {
    for (memory, fake) in machines() {
        let (_, other) = machines()
            .into_iter()
            .find(|(_, it)| {
                matches!(
                    (it, &fake),
                    (Fake::Intel(_), Fake::Intel(_)) | (Fake::Amd(_), Fake::Amd(_))
                )
            })
            .unwrap();
        let deaf = other;
        match &deaf {
            Fake::Intel(it) => it.0.borrow_mut().memory = memory.clone(),
            Fake::Amd(it) => it.0.borrow_mut().memory = memory.clone(),
        }
        let mut iommus = iommus(&memory, &[deaf.clone(), fake.clone()]);
        assert!(iommus.take_over().iter().all(Result::is_ok));
        iommus.grant(0, &[]).unwrap();
        deaf.deafen();
        let stuck = iommus.deny().unwrap_err();
        assert_eq!(stuck.len(), 1);
        assert_eq!(stuck[0].0, 0);
        check(&fake, None);
    }
}

#[test]
fn each_command_of_intels_that_is_ignored_is_named() {
    let cases = [
        (30, "take the root table"),
        (31, "begin to translate"),
        (26, "begin with a queue"),
        (27, "flush its write buffer"),
    ];
    for (bit, step) in cases {
        let memory = FakeMemory::new(true, true);
        let fake = FakeIntel::new(&memory, intel::WRITE_BUFFER, intel::COHERENT | intel::QUEUE);
        fake.0.borrow_mut().ignores = 1 << bit;
        let mut iommus = iommus(&memory, &[Fake::Intel(fake)]);
        assert_eq!(iommus.take_over(), [Err(Stuck { step })]);
    }
}
