//! Enabling the local APIC from any state.

use ipi::{EnableError, LocalApic, Mode, Register};

use crate::fake::{ADDRESS, BSP, EN, EXTD, Event, FakeApic, VERSION};

const MASKED: u64 = 1 << 16 | 0xff;

fn enable(fake: &FakeApic, mode: Mode) -> Result<(), EnableError> {
    LocalApic::with_registers(mode, fake).enable(0xff)
}

/// Returns the accesses after the transition, for a version with 6 local vectors.
fn known_state() -> [Event; 13] {
    [
        Event::Read(Register::Version),
        Event::Write(Register::LvtTimer, MASKED),
        Event::Write(Register::LvtLint0, MASKED),
        Event::Write(Register::LvtLint1, MASKED),
        Event::Write(Register::LvtError, MASKED),
        Event::Read(Register::LvtPerformance),
        Event::Write(Register::LvtPerformance, MASKED),
        Event::Read(Register::LvtThermal),
        Event::Write(Register::LvtThermal, MASKED),
        Event::Write(Register::InitialCount, 0),
        Event::Write(Register::TaskPriority, 0),
        Event::Write(Register::SpuriousVector, 0x1ff),
        Event::Write(Register::ErrorStatus, 0),
    ]
}

#[test]
fn the_sequence_is_exact_in_x2apic_mode() {
    let fake = FakeApic::new(EN | BSP);
    enable(&fake, Mode::X2Apic).unwrap();
    let transition = [
        Event::ReadBase,
        Event::WriteBase(ADDRESS | BSP | EN | EXTD),
        Event::ReadBase,
    ];
    let last = [Event::Write(Register::ErrorStatus, 0)];
    assert_eq!(
        fake.take_log(),
        [&transition[..], &known_state(), &last].concat()
    );
}

#[test]
fn the_sequence_is_exact_in_xapic_mode() {
    let fake = FakeApic::new(EN);
    enable(&fake, Mode::XApic).unwrap();
    let last = [Event::Write(Register::ErrorStatus, 0)];
    assert_eq!(
        fake.take_log(),
        [&[Event::ReadBase][..], &known_state(), &last].concat()
    );
}

#[test]
fn only_legal_transitions_are_made() {
    let on = EN | EXTD;
    let table: [(u64, Mode, &[u64]); 8] = [
        (0, Mode::XApic, &[EN]),
        (EN, Mode::XApic, &[]),
        (on, Mode::XApic, &[0, EN]),
        (EXTD, Mode::XApic, &[0, EN]),
        (0, Mode::X2Apic, &[EN, on]),
        (EN, Mode::X2Apic, &[on]),
        (on, Mode::X2Apic, &[]),
        (EXTD, Mode::X2Apic, &[0, EN, on]),
    ];
    for (from, mode, expected) in table {
        for boot in [0, BSP] {
            let fake = FakeApic::new(from | boot);
            enable(&fake, mode).unwrap();
            let bases = fake.take_log().into_iter().filter_map(|event| match event {
                Event::WriteBase(value) => Some(value),
                _ => None,
            });
            let expected: Vec<u64> = expected
                .iter()
                .map(|state| ADDRESS | boot | state)
                .collect();
            assert_eq!(
                bases.collect::<Vec<_>>(),
                expected,
                "from {from:#x} to {mode}"
            );
        }
    }
}

#[test]
fn what_a_predecessor_left_is_gone() {
    for mode in [Mode::XApic, Mode::X2Apic] {
        let fake = FakeApic::running(mode);
        for register in [
            Register::LvtTimer,
            Register::LvtLint0,
            Register::LvtLint1,
            Register::LvtError,
        ] {
            fake.set(register, 0x2_0040);
        }
        fake.set(Register::InitialCount, 1000);
        fake.set(Register::TaskPriority, 0xf0);
        fake.set(Register::SpuriousVector, 0x11ef);
        fake.set(Register::ErrorStatus, 0x40);
        fake.errors.set(0x20);
        enable(&fake, mode).unwrap();
        for register in [
            Register::LvtTimer,
            Register::LvtLint0,
            Register::LvtLint1,
            Register::LvtError,
        ] {
            assert_eq!(fake.get(register), 0x1_00ff, "{register:?} in {mode}");
        }
        let rest = [
            Register::InitialCount,
            Register::TaskPriority,
            Register::SpuriousVector,
            Register::ErrorStatus,
        ];
        assert_eq!(
            rest.map(|register| fake.get(register)),
            [0, 0, 0x1ff, 0],
            "{mode}"
        );
    }
}

#[test]
fn only_local_vectors_that_are_there_are_masked() {
    for last_entry in 3..=8 {
        let fake = FakeApic::running(Mode::X2Apic);
        fake.set(Register::Version, last_entry << 16 | 0x15);
        let later = [
            Register::LvtPerformance,
            Register::LvtThermal,
            Register::LvtCmci,
        ];
        enable(&fake, Mode::X2Apic).unwrap();
        let expected = [4, 5, 6].map(|first| if last_entry >= first { 0x1_00ff } else { 0 });
        assert_eq!(
            later.map(|register| fake.get(register)),
            expected,
            "last entry {last_entry}"
        );
    }
}

#[test]
fn the_firmwares_thermal_smi_stays_and_an_interrupt_does_not() {
    let fake = FakeApic::running(Mode::XApic);
    fake.set(Register::LvtThermal, 0x200);
    fake.set(Register::LvtPerformance, 0x400);
    enable(&fake, Mode::XApic).unwrap();
    assert_eq!(fake.get(Register::LvtThermal), 0x200);
    assert_eq!(fake.get(Register::LvtPerformance), 0x1_00ff);
}

#[test]
fn what_is_no_integrated_apic_is_refused_before_it_is_written() {
    for version in [0, u32::MAX, 0x0003_0004, 0x0005_000f, 0x0005_00ff] {
        let fake = FakeApic::running(Mode::XApic);
        fake.set(Register::Version, version);
        assert_eq!(
            enable(&fake, Mode::XApic),
            Err(EnableError::Version(version))
        );
        assert_eq!(fake.writes(), [], "version {version:#x}");
    }
    let fake = FakeApic::running(Mode::XApic);
    fake.set(Register::Version, VERSION & !0xff | 0x10);
    assert_eq!(enable(&fake, Mode::XApic), Ok(()));
}

#[test]
fn a_mode_that_does_not_come_is_reported() {
    let fake = FakeApic::new(EN);
    fake.ignores_base.set(true);
    let error = enable(&fake, Mode::X2Apic).unwrap_err();
    assert_eq!(
        error,
        EnableError::Refused {
            mode: Mode::X2Apic,
            apic_base: ADDRESS | EN
        }
    );
    let text = error.to_string();
    assert!(
        text.contains("x2APIC mode cannot be entered") && text.contains("0xfee00800"),
        "{text}"
    );
}

#[test]
fn a_processor_locked_in_x2apic_mode_is_left_alone() {
    let fake = FakeApic::running(Mode::X2Apic);
    fake.is_locked.set(true);
    assert_eq!(enable(&fake, Mode::XApic), Err(EnableError::Locked));
    assert_eq!(fake.writes(), []);
    assert_eq!(enable(&fake, Mode::X2Apic), Ok(()));
}

#[test]
fn an_exceptions_vector_is_no_spurious_vector() {
    let fake = FakeApic::new(0);
    let enable = |vector| LocalApic::with_registers(Mode::XApic, &fake).enable(vector);
    assert_eq!(enable(31), Err(EnableError::Vector(31)));
    assert_eq!(fake.take_log(), []);
    assert_eq!(enable(32), Ok(()));
}
