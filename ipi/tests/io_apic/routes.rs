//! Finding the controller, reading and routing pins.

use ipi::{IoApic, NoIoApic, Redirection, RouteError};

use crate::fake::{Event, FakeIoApic, LEVEL, MASKED, REMOTE_IRR, RESERVED, SEND_PENDING, SMI};

#[test]
fn version_and_pins_are_those_of_the_version_register() {
    // The second is QEMU's, the third VIA's; the last has as many pins as an index can reach.
    for (register, version, pins) in [
        (0x0017_0011, 0x11, 24),
        (0x0017_0020, 0x20, 24),
        (0x0017_8003, 3, 24),
        (0x0077_0020, 0x20, 120),
    ] {
        let fake = FakeIoApic::answering(register, &[]);
        let io_apic = IoApic::with_window(&fake).unwrap();
        assert_eq!(
            (io_apic.version(), io_apic.pin_count()),
            (version, pins),
            "{register:#x}"
        );
        assert_eq!(fake.take_log(), [Event::Read(1)]);
    }
}

#[test]
fn what_is_no_io_apic_is_refused_by_what_it_reads() {
    for version_register in [0, u32::MAX, 0x0078_0020, 0x00ff_0011] {
        let fake = FakeIoApic::answering(version_register, &[]);
        let error = IoApic::with_window(&fake).unwrap_err();
        assert_eq!(error, NoIoApic { version_register });
        assert!(
            error
                .to_string()
                .contains(&format!("{version_register:#010x}")),
            "{error}"
        );
        assert_eq!(fake.writes(), []);
    }
}

#[test]
fn a_route_is_masked_then_high_then_low() {
    let fake = FakeIoApic::new(0x20, &[0, 0, 0x0300_0000_0000_0031]);
    let route = Redirection::fixed(0x52, 5)
        .level_triggered(true)
        .active_low(true);
    IoApic::with_window(&fake).unwrap().write(2, route).unwrap();
    let expected = [
        Event::Read(1),
        Event::Write(0x14, 0x1_a052),
        Event::Write(0x15, 0x0500_0000),
        Event::Write(0x14, 0xa052),
    ];
    assert_eq!(fake.take_log(), expected);
    assert_eq!(fake.entry(2), route.raw());
}

#[test]
fn what_was_read_can_be_written_back() {
    // Reserved bits set, and read-only ones, which must not be written.
    let entry = RESERVED | 0x0500_0000_0000_0061 | LEVEL | REMOTE_IRR | SEND_PENDING;
    let fake = FakeIoApic::new(0x11, &[entry]);
    let mut io_apic = IoApic::with_window(&fake).unwrap();
    let read = io_apic.read(0).unwrap();
    assert_eq!(read.raw(), entry);
    io_apic.write(0, read).unwrap();
    assert_eq!(fake.entry(0), entry & !SEND_PENDING);
}

#[test]
fn a_pin_that_is_not_there_is_refused() {
    let fake = FakeIoApic::new(0x20, &[0; 24]);
    let mut io_apic = IoApic::with_window(&fake).unwrap();
    fake.take_log();
    for pin in [24, 120, u32::MAX] {
        let error = RouteError::Pin { pin, pin_count: 24 };
        assert_eq!(io_apic.read(pin), Err(error));
        assert_eq!(io_apic.write(pin, Redirection::fixed(0x50, 1)), Err(error));
        assert_eq!(io_apic.clear_remote_irr(pin), Err(error));
    }
    assert_eq!(fake.take_log(), []);
}

#[test]
fn an_open_route_to_an_exception_or_to_everybody_is_refused() {
    let fake = FakeIoApic::new(0x20, &[MASKED]);
    let mut io_apic = IoApic::with_window(&fake).unwrap();
    let lowest_priority = Redirection::from_raw(0x0100_0000_0000_0108);
    let table = [
        (Redirection::fixed(31, 1), RouteError::Vector(31)),
        (lowest_priority, RouteError::Vector(8)),
        (Redirection::fixed(0x50, 0xff), RouteError::Broadcast),
    ];
    for (route, error) in table {
        assert_eq!(io_apic.write(0, route), Err(error));
        assert_eq!(fake.writes(), []);
        assert_eq!(
            io_apic.write(0, route.masked(true)),
            Ok(()),
            "masked, it goes nowhere"
        );
        fake.take_log();
    }
}

#[test]
fn routes_without_vector_and_logical_sets_are_not_mistaken() {
    let fake = FakeIoApic::new(0x20, &[MASKED]);
    let mut io_apic = IoApic::with_window(&fake).unwrap();
    let nmi = Redirection::from_raw(0x0100_0000_0000_0400);
    let logical = Redirection::from_raw(0xff00_0000_0000_0850);
    assert_eq!(io_apic.write(0, nmi), Ok(()));
    assert_eq!(io_apic.write(0, logical), Ok(()));
}

#[test]
fn masking_all_leaves_the_firmwares_pins() {
    let fake = FakeIoApic::new(0x11, &[0x31, MASKED | 0x32, SMI, LEVEL | 0x33]);
    IoApic::with_window(&fake).unwrap().mask_all();
    assert_eq!(
        *fake.entries.borrow(),
        [MASKED | 0x31, MASKED | 0x32, SMI, MASKED | LEVEL | 0x33]
    );
}
