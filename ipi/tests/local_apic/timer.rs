//! The timer.

use ipi::{LocalApic, Mode, Register, TIMER_DIVIDE, TscDeadline};

use crate::fake::{Event, FakeApic};

const MODES: [Mode; 2] = [Mode::XApic, Mode::X2Apic];

#[test]
fn the_count_comes_last() {
    for mode in MODES {
        let fake = FakeApic::running(mode);
        let apic = LocalApic::with_registers(mode, &fake);
        for (entry, start) in [
            (0x0_0050, LocalApic::timer_one_shot as fn(&_, u8, u32)),
            (0x2_0050, LocalApic::timer_periodic as fn(&_, u8, u32)),
        ] {
            start(&apic, 0x50, 1234);
            let expected = [
                Event::Write(Register::DivideConfiguration, 0b0011),
                Event::Write(Register::LvtTimer, entry),
                Event::Write(Register::InitialCount, 1234),
            ];
            assert_eq!(fake.take_log(), expected, "{mode}");
        }
    }
}

#[test]
fn the_divisor_is_the_one_that_is_promised() {
    let fake = FakeApic::running(Mode::XApic);
    LocalApic::with_registers(Mode::XApic, &fake).timer_one_shot(0x50, 1);
    // Intel SDM vol. 3A, figure 11-10: bits 0, 1 and 3 count 2, 4, 8 .. 128, and then 1.
    let code = fake.get(Register::DivideConfiguration);
    let power = ((code & 3 | code >> 1 & 4) + 1) % 8;
    assert_eq!(1 << power, TIMER_DIVIDE);
}

#[test]
fn stopping_masks_and_keeps_the_rest_of_the_entry() {
    for mode in MODES {
        let fake = FakeApic::running(mode);
        fake.set(Register::LvtTimer, 0x2_0050);
        LocalApic::with_registers(mode, &fake).timer_stop();
        let expected = [
            Event::Read(Register::LvtTimer),
            Event::Write(Register::LvtTimer, 0x3_0050),
            Event::Write(Register::InitialCount, 0),
        ];
        assert_eq!(fake.take_log(), expected, "{mode}");
    }
}

#[test]
fn the_count_that_is_left_is_read() {
    for mode in MODES {
        let fake = FakeApic::running(mode);
        fake.set(Register::CurrentCount, 77);
        assert_eq!(
            LocalApic::with_registers(mode, &fake).timer_count(),
            77,
            "{mode}"
        );
    }
}

#[test]
fn a_deadline_follows_its_mode_and_in_xapic_mode_a_fence() {
    // SAFETY: the fake has TSC-deadline mode.
    let proof = unsafe { TscDeadline::assume() };
    let deadline = 0x1234_5678_9abc_def0;
    let entry = Event::Write(Register::LvtTimer, 0x4_0050);
    let table = [
        (
            Mode::XApic,
            vec![entry, Event::Fence, Event::Deadline(deadline)],
        ),
        (Mode::X2Apic, vec![entry, Event::Deadline(deadline)]),
    ];
    for (mode, expected) in table {
        let fake = FakeApic::running(mode);
        LocalApic::with_registers(mode, &fake).timer_deadline(proof, 0x50, deadline);
        assert_eq!(fake.take_log(), expected, "{mode}");
    }
}
