//! Identity, interrupts in service, errors.

use ipi::{DRAIN_EOIS_MAX, Drained, ErrorStatus, LocalApic, Mode, Register};

use crate::fake::{BSP, EN, Event, FakeApic};

const MODES: [Mode; 2] = [Mode::XApic, Mode::X2Apic];

#[test]
fn the_id_is_the_top_byte_in_xapic_mode_and_all_of_it_in_x2apic_mode() {
    for (mode, register, id) in [
        (Mode::XApic, 0x0700_0000, 7),
        (Mode::X2Apic, 0x0001_0007, 0x1_0007),
    ] {
        let fake = FakeApic::running(mode);
        fake.set(Register::Id, register);
        assert_eq!(LocalApic::with_registers(mode, &fake).id(), id, "{mode}");
    }
}

#[test]
fn the_boot_processor_is_known() {
    for (bits, is_bsp) in [(EN | BSP, true), (EN, false)] {
        let fake = FakeApic::new(bits);
        assert_eq!(
            LocalApic::with_registers(Mode::XApic, &fake).is_bsp(),
            is_bsp
        );
    }
}

#[test]
fn the_end_of_an_interrupt_is_one_write_of_zero() {
    for mode in MODES {
        let fake = FakeApic::running(mode);
        LocalApic::with_registers(mode, &fake).end_of_interrupt();
        assert_eq!(
            fake.take_log(),
            [Event::Write(Register::EndOfInterrupt, 0)],
            "{mode}"
        );
    }
}

#[test]
fn bits_are_read_in_the_order_of_vectors() {
    for mode in MODES {
        let fake = FakeApic::running(mode);
        fake.in_service.replace([32, 65, 255].into());
        (0..8).for_each(|n| fake.set(Register::Request(n), 1 << n));
        let apic = LocalApic::with_registers(mode, &fake);
        assert_eq!(apic.in_service(), [0, 1, 2, 0, 0, 0, 0, 1 << 31], "{mode}");
        assert_eq!(apic.requested(), [1, 2, 4, 8, 16, 32, 64, 128], "{mode}");
    }
}

#[test]
fn draining_ends_what_is_in_service_and_nothing_more() {
    for mode in MODES {
        let fake = FakeApic::running(mode);
        fake.in_service.replace([0x40, 0x50, 0xfe].into());
        let apic = LocalApic::with_registers(mode, &fake);
        assert_eq!(
            apic.drain(),
            Drained {
                acknowledged: 3,
                is_clear: true
            },
            "{mode}"
        );
        assert_eq!(
            fake.writes(),
            [Event::Write(Register::EndOfInterrupt, 0); 3],
            "{mode}"
        );
        assert_eq!(
            apic.drain(),
            Drained {
                acknowledged: 0,
                is_clear: true
            },
            "{mode}"
        );
        assert_eq!(fake.writes(), [], "{mode}");
    }
}

#[test]
fn draining_ends_when_every_vector_is_in_service() {
    let fake = FakeApic::running(Mode::X2Apic);
    fake.in_service.replace((0..=255).collect());
    let drained = LocalApic::with_registers(Mode::X2Apic, &fake).drain();
    assert_eq!(
        drained,
        Drained {
            acknowledged: 256,
            is_clear: true
        }
    );
}

#[test]
fn draining_is_bounded_when_nothing_helps() {
    let fake = FakeApic::running(Mode::XApic);
    fake.in_service.replace([0x40].into());
    fake.ignores_eoi.set(true);
    let drained = LocalApic::with_registers(Mode::XApic, &fake).drain();
    assert_eq!(
        drained,
        Drained {
            acknowledged: DRAIN_EOIS_MAX,
            is_clear: false
        }
    );
    assert_eq!(fake.writes().len(), DRAIN_EOIS_MAX as usize);
}

#[test]
fn errors_are_latched_before_they_are_read_and_then_forgotten() {
    for mode in MODES {
        let fake = FakeApic::running(mode);
        fake.errors.set(0x60);
        let apic = LocalApic::with_registers(mode, &fake);
        assert_eq!(
            apic.error_status(),
            ErrorStatus::SEND_ILLEGAL_VECTOR | ErrorStatus::RECEIVE_ILLEGAL_VECTOR,
            "{mode}"
        );
        assert_eq!(
            fake.take_log(),
            [
                Event::Write(Register::ErrorStatus, 0),
                Event::Read(Register::ErrorStatus)
            ],
            "{mode}"
        );
        assert_eq!(apic.error_status(), ErrorStatus::empty(), "{mode}");
    }
}

#[test]
fn reserved_error_bits_are_kept() {
    let fake = FakeApic::running(Mode::XApic);
    fake.errors.set(0xdead_be00);
    assert_eq!(
        LocalApic::with_registers(Mode::XApic, &fake)
            .error_status()
            .bits(),
        0xdead_be00
    );
}

#[test]
fn the_real_one_can_be_shared_between_cores() {
    fn shared<T: Send + Sync>() {}
    shared::<LocalApic>();
}
