//! ACPI tables are read in bounded work, whatever they hold. The copies that a Linux gets of accepted tables read as
//! they should.
//!
//! An input is a byte of flags and the APIC id of the boot processor. Then come either the bytes of memory from the
//! RSDP on, or tables, each behind its length, which are put into a machine that is otherwise whole.

use std::collections::BTreeSet;

use arbitrary::Unstructured;
use partition::acpi::iommu::{Iommus, UNITS_MAX};
use partition::acpi::{Originals, Register, Rsdp};
use partition::linux::acpi::{TableFacts, Tables, of_backup, of_primary};
use partition::{AcpiInfo, ApicId};

use partition::testing::FakeMemory;

const RSDP: u64 = 0xf_0000;
const ROOT: u64 = 0x7fd_0000;
const TABLES: u64 = 0x7fe_0000;
const TABLE_STRIDE: u64 = 0x1_0000;
/// Address of the copies for a Linux.
const COPIES: u64 = 0x800_1000;
const RESET_REGISTER: (u64, u8) = (0x300_d980, 1);

/// Limit of the reads: the RSDP may be at every 16 bytes of two areas, a table has an entry every 4 bytes at most, and
/// each is read twice (three times, if it is an MCFG, a DMAR or an IVRS).
const READS_MAX: u64 = 4 * (1024 + 0x2_0000) / 16 + 2 * (1 << 20) / 4;

/// Checks the property. See the module.
pub fn check(data: &[u8]) {
    let [flags, bsp, bytes @ ..] = data else {
        return;
    };
    let bsp = ApicId((*bsp).into());
    let is_sealed = flags & 1 != 0;
    let (memory, rsdp) = match flags & 6 {
        0 => (FakeMemory::default().with(RSDP, bytes), Rsdp::Address(RSDP)),
        2 => (FakeMemory::default().with(RSDP, bytes), Rsdp::Search),
        4 => (
            FakeMemory::default().with(ROOT, bytes),
            Rsdp::Copy(rsdp(flags & 8 != 0)),
        ),
        _ => (
            machine(bytes, is_sealed, flags & 8 != 0),
            Rsdp::Address(RSDP),
        ),
    };
    let read = AcpiInfo::read(&rsdp, bsp, &memory);
    let reads = memory.take_reads();
    assert!(reads <= READS_MAX, "{reads} reads");
    match read {
        Ok(info) => {
            is_sound(&info, bsp);
            let originals = Originals::read(&rsdp, &memory).expect("they were read before");
            copies_are_sound(&info, &originals, memory);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn is_sound(info: &AcpiInfo, bsp: ApicId) {
    assert_eq!(info.cpus.first(), Some(&bsp));
    let distinct: BTreeSet<_> = info.cpus.iter().collect();
    assert_eq!(distinct.len(), info.cpus.len());
    if let Ok(windows) = &info.ecam {
        for (index, window) in windows.iter().enumerate() {
            let buses = u64::from(window.last_bus - window.first_bus) + 1;
            assert_eq!(window.range.len(), buses << 20);
            let mut others = windows[..index].iter();
            assert!(!others.any(|other| other.range.overlaps(window.range)));
        }
    }
    if let Ok(iommus) = &info.iommus {
        let registers: BTreeSet<_> = iommus.units.iter().map(|unit| unit.registers).collect();
        assert_eq!(registers.len(), iommus.units.len());
        assert!(registers.len() <= UNITS_MAX && !registers.contains(&0));
        assert!(iommus.reserved.iter().all(|it| !it.range.is_empty()));
    }
    for isa_irq in 0..=255 {
        let _ = info.isa_interrupt(isa_irq);
    }
}

/// Checks that a Linux that reads its copies sees its own processors, and our reset register.
fn copies_are_sound(info: &AcpiInfo, originals: &Originals, mut memory: FakeMemory) {
    let seat = info.cpus[0];
    let own: Vec<ApicId> = info.cpus.iter().copied().step_by(2).take(32).collect();
    let facts = TableFacts {
        reset_register: RESET_REGISTER,
        own_table: (*b"UNDS", b"ours"),
        seat,
        cores: &own,
        local_apic_address: info.local_apic_address,
        has_iommu: own.len() % 2 == 1,
    };
    let expected = |info: &AcpiInfo| -> BTreeSet<ApicId> {
        let mine = |id: &ApicId| own.contains(id) || *id == seat;
        info.cpus.iter().copied().filter(mine).collect()
    };
    let mut read = |tables: &Tables| {
        memory.put(COPIES, &tables.bytes);
        AcpiInfo::read(&Rsdp::Address(tables.rsdp), seat, &memory).expect("our own tables")
    };
    if let Ok(tables) = of_primary(originals, facts, COPIES) {
        let copy = read(&tables);
        assert_eq!(
            copy.cpus.iter().copied().collect::<BTreeSet<_>>(),
            expected(info)
        );
        assert_eq!(
            (&copy.io_apics, &copy.overrides),
            (&info.io_apics, &info.overrides)
        );
        match facts.has_iommu {
            true => assert_eq!(copy.iommus, info.iommus),
            false => assert_eq!(copy.iommus, Ok(Iommus::default())),
        }
        if originals.fadt.is_some() {
            let reset = copy.reset.expect("a reset register");
            let found = (reset.register, reset.value);
            assert_eq!(
                found,
                (Register::Memory(RESET_REGISTER.0), RESET_REGISTER.1)
            );
        }
    }
    let slot = read(&of_backup(facts, COPIES).expect("a few small tables"));
    assert_eq!(
        slot.cpus.iter().copied().collect::<BTreeSet<_>>(),
        expected(info)
    );
}

/// Makes a machine with these tables, whose root tables are right.
fn machine(bytes: &[u8], is_sealed: bool, is_old: bool) -> FakeMemory {
    let mut input = Unstructured::new(bytes);
    let mut memory = FakeMemory::default();
    let mut entries = Vec::new();
    for number in 0..12 {
        let address = TABLES + number * TABLE_STRIDE;
        let Ok(length) = input.arbitrary::<u16>() else {
            break;
        };
        let length = usize::from(length).min(input.len());
        let Ok(table) = input.bytes(length) else {
            break;
        };
        let table = if is_sealed {
            sealed(table.to_vec())
        } else {
            table.to_vec()
        };
        memory.put(address, &table);
        let wide = address.to_le_bytes();
        entries.extend_from_slice(if is_old { &wide[..4] } else { &wide });
        if input.is_empty() {
            break;
        }
    }
    let signature = if is_old { b"RSDT" } else { b"XSDT" };
    let mut root = vec![0; 36];
    root[..4].copy_from_slice(signature);
    root.extend(entries);
    memory.put(ROOT, &sealed(root));
    memory.put(RSDP, &rsdp(is_old));
    memory
}

/// Sets the length and the checksum of a table, if it has a header.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.len() >= 36 {
        let length = bytes.len() as u32;
        bytes[4..8].copy_from_slice(&length.to_le_bytes());
        bytes[9] = 0;
        bytes[9] = complement(&bytes);
    }
    bytes
}

fn rsdp(is_old: bool) -> Vec<u8> {
    let mut bytes = b"RSD PTR \0BOCHS ".to_vec();
    bytes.push(if is_old { 0 } else { 2 });
    bytes.extend((ROOT as u32).to_le_bytes());
    bytes[8] = complement(&bytes);
    if !is_old {
        bytes.extend(36_u32.to_le_bytes());
        bytes.extend(ROOT.to_le_bytes());
        bytes.extend([0; 4]);
        bytes[32] = complement(&bytes);
    }
    bytes
}

fn complement(bytes: &[u8]) -> u8 {
    let sum = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    sum.wrapping_neg()
}
