//! Inter-processor interrupts.

use ipi::{DestinationError, IDLE_POLLS_MAX, Ipi, LocalApic, Mode, Register, SendError};

use crate::fake::{Event, FakeApic, STUCK};

fn send(fake: &FakeApic, mode: Mode, destination: u32, ipi: Ipi) -> Result<(), SendError> {
    LocalApic::with_registers(mode, fake).send(destination, ipi)
}

#[test]
fn x2apic_fences_and_writes_once() {
    let fake = FakeApic::running(Mode::X2Apic);
    send(&fake, Mode::X2Apic, 0x1_0203, Ipi::Fixed(0x40)).unwrap();
    assert_eq!(
        fake.take_log(),
        [
            Event::Fence,
            Event::Write(Register::Icr, 0x0001_0203_0000_4040)
        ]
    );
}

#[test]
fn xapic_waits_writes_high_then_low_waits_and_restores() {
    let fake = FakeApic::running(Mode::XApic);
    fake.set(Register::IcrHigh, 0x0900_0000);
    fake.busy_polls.set(1);
    fake.busy_polls_after_send.set(2);
    send(&fake, Mode::XApic, 5, Ipi::Fixed(0x40)).unwrap();
    let expected = [
        Event::Read(Register::Icr),
        Event::Relax,
        Event::Read(Register::Icr),
        Event::Read(Register::IcrHigh),
        Event::Write(Register::IcrHigh, 0x0500_0000),
        Event::Write(Register::Icr, 0x4040),
        Event::Read(Register::Icr),
        Event::Relax,
        Event::Read(Register::Icr),
        Event::Relax,
        Event::Read(Register::Icr),
        Event::Write(Register::IcrHigh, 0x0900_0000),
    ];
    assert_eq!(fake.take_log(), expected);
}

#[test]
fn each_message_has_its_own_bits() {
    let table = [
        (Ipi::Fixed(32), 0x4020),
        (Ipi::Fixed(0xff), 0x40ff),
        (Ipi::Nmi, 0x4400),
        (Ipi::Init, 0x4500),
        (Ipi::Startup { page: 0x08 }, 0x4608),
        (Ipi::Startup { page: 0x9f }, 0x469f),
        (Ipi::Startup { page: 0xc0 }, 0x46c0),
    ];
    for (ipi, low) in table {
        for mode in [Mode::XApic, Mode::X2Apic] {
            let fake = FakeApic::running(mode);
            send(&fake, mode, 3, ipi).unwrap();
            assert_eq!(fake.sent.take(), [(3, low)], "{ipi:?} in {mode}");
        }
    }
}

#[test]
fn the_highest_ids_are_reached() {
    for (mode, id) in [
        (Mode::XApic, 0xfe),
        (Mode::X2Apic, 0xff),
        (Mode::X2Apic, 0xffff_fffe),
    ] {
        let fake = FakeApic::running(mode);
        send(&fake, mode, id, Ipi::Nmi).unwrap();
        assert_eq!(fake.sent.take(), [(id, 0x4400)], "{mode}");
    }
}

#[test]
fn broadcasts_and_ids_that_do_not_fit_are_refused() {
    let table = [
        (Mode::XApic, 0xff),
        (Mode::XApic, 0x100),
        (Mode::XApic, 0x105),
        (Mode::X2Apic, u32::MAX),
    ];
    for (mode, destination) in table {
        let fake = FakeApic::running(mode);
        let max = if mode == Mode::XApic {
            0xfe
        } else {
            0xffff_fffe
        };
        let error = SendError::Destination(DestinationError { destination, max });
        assert_eq!(
            send(&fake, mode, destination, Ipi::Init),
            Err(error),
            "{mode}"
        );
        assert_eq!(fake.take_log(), [], "{mode}");
    }
    let fake = FakeApic::running(Mode::XApic);
    let text = send(&fake, Mode::XApic, 0x105, Ipi::Init)
        .unwrap_err()
        .to_string();
    assert_eq!(
        text,
        "IPI: destination 0x105: the destination field can name APIC ids up to 0xfe"
    );
}

#[test]
fn exception_vectors_and_reserved_pages_are_refused() {
    let table = [
        (Ipi::Fixed(0), SendError::Vector(0)),
        (Ipi::Fixed(31), SendError::Vector(31)),
        (Ipi::Startup { page: 0xa0 }, SendError::StartupPage(0xa0)),
        (Ipi::Startup { page: 0xbf }, SendError::StartupPage(0xbf)),
    ];
    for (ipi, error) in table {
        for mode in [Mode::XApic, Mode::X2Apic] {
            let fake = FakeApic::running(mode);
            assert_eq!(send(&fake, mode, 1, ipi), Err(error));
            assert_eq!(fake.take_log(), []);
        }
    }
}

#[test]
fn a_delivery_status_stuck_before_the_send_ends_it_unsent() {
    let fake = FakeApic::running(Mode::XApic);
    fake.set(Register::IcrHigh, 0x0900_0000);
    fake.busy_polls.set(STUCK);
    assert_eq!(send(&fake, Mode::XApic, 5, Ipi::Init), Err(SendError::Busy));
    assert_eq!(fake.sent.take(), []);
    let log = fake.take_log();
    assert_eq!(log.len(), 2 * IDLE_POLLS_MAX as usize);
    assert!(
        log.iter()
            .all(|event| matches!(event, Event::Read(Register::Icr) | Event::Relax))
    );
    assert_eq!(fake.get(Register::IcrHigh), 0x0900_0000);
}

#[test]
fn a_delivery_status_stuck_after_the_send_is_reported_and_the_pending_interrupt_left_alone() {
    let fake = FakeApic::running(Mode::XApic);
    fake.set(Register::IcrHigh, 0x0900_0000);
    fake.busy_polls_after_send.set(STUCK);
    // The fake panics if either half is written while the interrupt is pending.
    assert_eq!(
        send(&fake, Mode::XApic, 5, Ipi::Init),
        Err(SendError::Unconfirmed)
    );
    assert_eq!(fake.sent.take(), [(5, 0x4500)]);
    assert_eq!(fake.get(Register::IcrHigh), 0x0500_0000);
}

#[test]
fn the_last_poll_still_counts() {
    for (polls, is_sent) in [(IDLE_POLLS_MAX - 1, true), (IDLE_POLLS_MAX, false)] {
        let fake = FakeApic::running(Mode::XApic);
        fake.busy_polls.set(polls);
        assert_eq!(
            send(&fake, Mode::XApic, 5, Ipi::Nmi).is_ok(),
            is_sent,
            "{polls} polls"
        );
    }
}

#[test]
fn a_handler_may_send_at_any_point_of_a_send() {
    for access in 0..6 {
        let fake = FakeApic::running(Mode::XApic);
        fake.set(Register::IcrHigh, 0x0100_0000);
        fake.handler.set(Some((access, 9)));
        send(&fake, Mode::XApic, 5, Ipi::Fixed(0x40)).unwrap();
        assert_eq!(fake.handler.take(), None, "the handler has run");
        let mut sent = fake.sent.take();
        sent.sort_unstable();
        assert_eq!(
            sent,
            [(5, 0x4040), (9, 0x4400)],
            "handler after access {access}"
        );
        assert_eq!(
            fake.get(Register::IcrHigh),
            0x0100_0000,
            "handler after access {access}"
        );
    }
}
