//! Seizing every pin, and clearing Remote IRR.

use ipi::{IoApic, RemoteIrr, Seized};

use crate::fake::{Event, FakeIoApic, LEVEL, MASKED, REMOTE_IRR, RESERVED, SEND_PENDING, SMI};

const STUCK: u64 = 0x0300_0000_0000_0061 | LEVEL | REMOTE_IRR;

fn clear(fake: &FakeIoApic) -> RemoteIrr {
    let mut io_apic = IoApic::with_window(fake).unwrap();
    fake.take_log();
    io_apic.clear_remote_irr(0).unwrap()
}

#[test]
fn an_old_version_goes_by_edge_and_back() {
    let fake = FakeIoApic::new(0x11, &[STUCK]);
    assert_eq!(clear(&fake), RemoteIrr::Cleared);
    let expected = [
        Event::Write(0x10, 0x1_8061),
        Event::Write(0x10, 0x1_0061),
        Event::Write(0x10, 0x1_8061),
    ];
    assert_eq!(fake.writes(), expected);
    assert_eq!(fake.entry(0), STUCK & !REMOTE_IRR | MASKED);
}

#[test]
fn a_new_version_has_a_register_for_it() {
    let fake = FakeIoApic::new(0x20, &[STUCK]);
    assert_eq!(clear(&fake), RemoteIrr::Cleared);
    assert_eq!(
        fake.writes(),
        [Event::Write(0x10, 0x1_8061), Event::Eoi(0x61)]
    );
    assert_eq!(fake.entry(0), STUCK & !REMOTE_IRR | MASKED);
}

#[test]
fn a_new_version_whose_register_does_not_help_goes_by_edge_too() {
    let fake = FakeIoApic::new(0x20, &[STUCK]);
    fake.ignores_eoi.set(true);
    assert_eq!(clear(&fake), RemoteIrr::Cleared);
    let expected = [
        Event::Write(0x10, 0x1_8061),
        Event::Eoi(0x61),
        Event::Write(0x10, 0x1_0061),
        Event::Write(0x10, 0x1_8061),
    ];
    assert_eq!(fake.writes(), expected);
}

#[test]
fn an_edge_entry_that_is_stuck_becomes_level_for_the_register_and_edge_again() {
    // A kernel died while it cleared Remote IRR by edge, on a controller that keeps the Remote IRR of an edge entry.
    let fake = FakeIoApic::new(0x20, &[STUCK & !LEVEL | MASKED]);
    fake.ignores_edge.set(true);
    assert_eq!(clear(&fake), RemoteIrr::Cleared);
    let expected = [
        Event::Write(0x10, 0x1_0061),
        Event::Write(0x10, 0x1_8061),
        Event::Eoi(0x61),
        Event::Write(0x10, 0x1_0061),
    ];
    assert_eq!(fake.writes(), expected);
}

#[test]
fn an_edge_entry_that_is_stuck_on_an_old_version_ends_as_edge() {
    let fake = FakeIoApic::new(0x11, &[STUCK & !LEVEL]);
    fake.ignores_edge.set(true);
    assert_eq!(clear(&fake), RemoteIrr::Stuck);
    assert_eq!(fake.entry(0), STUCK & !LEVEL | MASKED);
}

#[test]
fn what_cannot_be_cleared_is_reported_after_a_bounded_effort() {
    for version in [0x11, 0x20] {
        let fake = FakeIoApic::new(version, &[STUCK]);
        fake.ignores_eoi.set(true);
        fake.ignores_edge.set(true);
        assert_eq!(clear(&fake), RemoteIrr::Stuck, "version {version:#x}");
        assert_eq!(fake.entry(0), STUCK | MASKED);
    }
}

#[test]
fn a_pin_that_is_not_stuck_is_masked_and_no_more() {
    for entry in [
        0x61,
        LEVEL | 0x61,
        MASKED | LEVEL | 0x61,
        SEND_PENDING | 0x61,
    ] {
        let fake = FakeIoApic::new(0x20, &[entry]);
        assert_eq!(clear(&fake), RemoteIrr::WasClear);
        let low = (entry & !SEND_PENDING | MASKED) as u32;
        assert_eq!(
            fake.take_log(),
            [0x10, 0x11]
                .map(Event::Read)
                .into_iter()
                .chain([
                    Event::Write(0x10, low),
                    Event::Read(0x10),
                    Event::Read(0x11)
                ])
                .collect::<Vec<_>>()
        );
    }
}

#[test]
fn an_interrupt_accepted_just_before_the_mask_is_seen() {
    let fake = FakeIoApic::new(0x11, &[LEVEL | 0x61]);
    fake.accepts_before_mask.set(Some(0));
    assert_eq!(clear(&fake), RemoteIrr::Cleared);
    assert_eq!(fake.entry(0), MASKED | LEVEL | 0x61);
}

#[test]
fn a_seizure_masks_clears_and_counts() {
    let pins = [
        0x31,
        MASKED | 0x32,
        STUCK,
        STUCK | MASKED,
        SMI | REMOTE_IRR | LEVEL,
        LEVEL | 0x36,
    ];
    for version in [0x11, 0x20] {
        let fake = FakeIoApic::new(version, &pins);
        let mut io_apic = IoApic::with_window(&fake).unwrap();
        assert_eq!(
            io_apic.seize(),
            Seized {
                masked: 3,
                stuck_cleared: 2,
                still_stuck: 0
            },
            "version {version:#x}"
        );
        let quiet = STUCK & !REMOTE_IRR | MASKED;
        let expected = [
            MASKED | 0x31,
            MASKED | 0x32,
            quiet,
            quiet,
            pins[4],
            MASKED | LEVEL | 0x36,
        ];
        assert_eq!(*fake.entries.borrow(), expected, "version {version:#x}");
        assert_eq!(
            io_apic.seize(),
            Seized::default(),
            "a second time there is nothing to do"
        );
    }
}

#[test]
fn a_seizure_goes_on_past_a_pin_that_is_stuck_for_good() {
    let fake = FakeIoApic::new(0x20, &[STUCK, 0x32, STUCK]);
    fake.ignores_eoi.set(true);
    fake.ignores_edge.set(true);
    let seized = IoApic::with_window(&fake).unwrap().seize();
    assert_eq!(
        seized,
        Seized {
            masked: 3,
            stuck_cleared: 0,
            still_stuck: 2
        }
    );
    assert!(
        fake.entries
            .borrow()
            .iter()
            .all(|entry| entry & MASKED != 0)
    );
}

#[test]
fn reserved_bits_survive_a_seizure() {
    let fake = FakeIoApic::new(0x11, &[STUCK | RESERVED]);
    IoApic::with_window(&fake).unwrap().seize();
    assert_eq!(fake.entry(0), STUCK & !REMOTE_IRR | RESERVED | MASKED);
}
