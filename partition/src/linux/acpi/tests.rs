use super::*;
use crate::acpi::{AcpiInfo, Register, ResetRegister, Rsdp};
use crate::testing::FakeMemory;

const AT: u64 = 0x800_1000;

fn facts<'a>(cores: &'a [ApicId]) -> TableFacts<'a> {
    TableFacts {
        reset_register: (0x300_d980, 1),
        own_table: (*b"UNDS", b"hello"),
        seat: ApicId(0),
        cores,
        local_apic_address: 0xfee0_0000,
        has_iommu: false,
    }
}

fn originals(fadt_bytes: usize, revision: u8) -> Originals {
    let mut body = vec![0, 0, 0xe0, 0xfe, 1, 0, 0, 0];
    for id in [0, 1, 2, 3] {
        body.extend([LOCAL_APIC, 8, id, id, 1, 0, 0, 0]);
    }
    body.extend([1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0]);
    let mut fadt = table(*b"FACP", revision, &vec![0; fadt_bytes - HEADER_BYTES]);
    fadt[FADT_FLAGS] = 1;
    Originals {
        madt: table(*b"APIC", 3, &body),
        fadt: Some(sealed(fadt)),
        iommu: vec![0x7100_0000],
        others: vec![0x7000_0000],
    }
}

/// Makes a table of one unit.
fn dmar() -> Vec<u8> {
    let mut body = vec![0; 12 + 16];
    body[14] = 16;
    body[20..24].copy_from_slice(&0xfed9_0000_u32.to_le_bytes());
    table(*b"DMAR", 1, &body)
}

/// Reads the tables as a kernel would.
fn read(tables: &Tables, bsp: u32) -> AcpiInfo {
    let mut memory = FakeMemory::default();
    memory.put(AT, &tables.bytes);
    memory.put(0x7000_0000, &table(*b"WAET", 1, &[0; 4]));
    memory.put(0x7100_0000, &dmar());
    AcpiInfo::read(&Rsdp::Address(tables.rsdp), ApicId(bsp), &memory).unwrap()
}

fn ids(info: &AcpiInfo) -> Vec<u32> {
    info.cpus.iter().map(|id| id.0).collect()
}

#[test]
fn a_linux_sees_the_iommu_only_if_it_is_left_to_it() {
    for has_iommu in [false, true] {
        let facts = TableFacts {
            has_iommu,
            ..facts(&[ApicId(1)])
        };
        let units = |tables: Tables| read(&tables, 0).iommus.unwrap().units.len();
        let primary = of_primary(&originals(244, 3), facts, AT).unwrap();
        assert_eq!(units(primary), usize::from(has_iommu));
        assert_eq!(units(of_backup(facts, AT).unwrap()), 0);
    }
}

#[test]
fn the_owner_sees_its_processors_and_our_reset_register() {
    for (bytes, revision) in [(116, 1), (244, 3), (276, 6)] {
        let cores = [ApicId(1), ApicId(3)];
        let tables = of_primary(&originals(bytes, revision), facts(&cores), AT).unwrap();
        let info = read(&tables, 0);
        assert_eq!(ids(&info), [0, 1, 3]);
        assert_eq!(info.io_apics.len(), 1);
        assert_eq!(
            info.reset,
            Some(ResetRegister {
                register: Register::Memory(0x300_d980),
                value: 1
            })
        );
    }
}

#[test]
fn a_processor_whose_entry_is_cut_short_is_not_left_to_another() {
    let mut firmware = originals(244, 3);
    firmware.madt.extend([LOCAL_X2APIC, 12, 0, 0]);
    firmware.madt.extend(300_u32.to_le_bytes());
    firmware.madt.extend(CPU_ENABLED.to_le_bytes());
    let tables = of_primary(&firmware, facts(&[ApicId(1)]), AT).unwrap();
    assert_eq!(ids(&read(&tables, 0)), [0, 1]);
}

#[test]
fn an_old_fadt_keeps_what_it_had_and_gets_what_it_lacked() {
    let tables = of_primary(&originals(116, 1), facts(&[]), AT).unwrap();
    let place = tables.bytes.windows(4).position(|w| w == b"FACP").unwrap();
    let fadt = &tables.bytes[place..];
    assert_eq!((u32_at(fadt, 4), fadt[8]), (244, 3));
    assert_eq!(fadt[FADT_BOOT_ARCH], 3);
    assert_eq!(u32_at(fadt, FADT_FLAGS), 1 | FLAG_RESET);
}

#[test]
fn a_backup_sees_processors_and_nothing_else() {
    let cores = [ApicId(2), ApicId(1), ApicId(300)];
    let tables = of_backup(facts(&cores), AT).unwrap();
    let info = read(&tables, 0);
    assert_eq!(ids(&info), [0, 2, 1, 300]);
    assert!(info.io_apics.is_empty() && !info.has_8259 && info.pm_timer.is_none());
    assert!(matches!(
        info.reset,
        Some(ResetRegister {
            register: Register::Memory(0x300_d980),
            ..
        })
    ));
}

#[test]
fn our_table_is_listed_with_its_body() {
    for tables in [
        of_primary(&originals(244, 3), facts(&[]), AT).unwrap(),
        of_backup(facts(&[]), AT).unwrap(),
    ] {
        let place = tables.bytes.windows(4).position(|w| w == b"UNDS").unwrap();
        assert_eq!(&tables.bytes[place + 36..place + 41], b"hello");
        assert_eq!(place % 16, 0);
        let address = (AT + place as u64).to_le_bytes();
        assert!(
            tables.bytes.windows(8).any(|w| w == address),
            "the XSDT lists it"
        );
    }
}

#[test]
fn a_damaged_madt_and_too_long_a_table_are_no_harm() {
    let mut damaged = originals(244, 3);
    damaged.madt[MADT_ENTRIES + 1] = 0;
    of_primary(&damaged, facts(&[]), AT).unwrap();
    damaged.madt.truncate(MADT_ENTRIES + 1);
    of_primary(&damaged, facts(&[]), AT).unwrap();
    let body = vec![0; TABLES_BYTES as usize];
    let long = TableFacts {
        own_table: (*b"UNDS", &body),
        ..facts(&[])
    };
    assert!(matches!(
        of_backup(long, AT),
        Err(LinuxError::TablesTooLong(_))
    ));
}
