use super::*;
use crate::physical::Problem;
use crate::testing::FakeMemory;
use alloc::string::{String, ToString};
use alloc::{format, vec};
use proptest::prelude::*;

/// Gives a table its length and makes its bytes sum up to 0.
pub fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let length = bytes.len() as u32;
    bytes[4..8].copy_from_slice(&length.to_le_bytes());
    bytes[9] = 0;
    bytes[9] = 0u8.wrapping_sub(bytes.iter().fold(0u8, |sum, b| sum.wrapping_add(*b)));
    bytes
}

pub fn table(signature: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 36];
    bytes[..4].copy_from_slice(signature);
    bytes.extend(body);
    seal(bytes)
}

fn cpu(id: u8, flags: u8) -> Vec<u8> {
    vec![0, 8, 0, id, flags, 0, 0, 0]
}

fn x2apic_cpu(id: u32, flags: u8) -> Vec<u8> {
    let mut entry = vec![9, 16, 0, 0];
    entry.extend(id.to_le_bytes());
    entry.extend([flags, 0, 0, 0, 0, 0, 0, 0]);
    entry
}

pub fn madt(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![0, 0, 0xe0, 0xfe, 1, 0, 0, 0];
    body.extend(entries.concat());
    table(b"APIC", &body)
}

pub fn fadt() -> Vec<u8> {
    let mut bytes = table(b"FACP", &[0; 244 - 36]);
    bytes[76..80].copy_from_slice(&0x608u32.to_le_bytes());
    bytes[91] = 4;
    bytes[112..116].copy_from_slice(&(1u32 << 8 | 1 << 10).to_le_bytes());
    bytes[116..128].copy_from_slice(&[1, 8, 0, 1, 0xf9, 0x0c, 0, 0, 0, 0, 0, 0]);
    bytes[128] = 0x0f;
    seal(bytes)
}

fn rsdp(revision: u8, rsdt: u32, xsdt: u64) -> Vec<u8> {
    let mut bytes = b"RSD PTR \0BOCHS ".to_vec();
    bytes.push(revision);
    bytes.extend(rsdt.to_le_bytes());
    let sum = |bytes: &[u8]| bytes.iter().fold(0u8, |sum, b| sum.wrapping_add(*b));
    bytes[8] = 0u8.wrapping_sub(sum(&bytes));
    if revision >= 2 {
        bytes.extend(36u32.to_le_bytes());
        bytes.extend(xsdt.to_le_bytes());
        bytes.extend([0; 4]);
        bytes[32] = 0u8.wrapping_sub(sum(&bytes));
    }
    bytes
}

pub fn qemu_madt() -> Vec<u8> {
    madt(&[
        cpu(0, 1),
        cpu(1, 1),
        cpu(2, 0),
        cpu(3, 2),
        cpu(4, 1),
        vec![1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0],
        vec![2, 10, 0, 0, 2, 0, 0, 0, 0, 0],
        vec![2, 10, 0, 4, 20, 0, 0, 0, 0x0f, 0],
        vec![4, 6, 0xff, 0, 0, 1],
    ])
}

/// Makes a machine with these tables under an XSDT; the RSDP is at 0xf0000.
pub fn machine(tables: &[Vec<u8>]) -> FakeMemory {
    let mut memory = FakeMemory::default();
    let mut entries = vec![];
    for (number, table) in tables.iter().enumerate() {
        let address = 0x7fe_0000 + number as u64 * 0x1_0000;
        memory.put(address, table);
        entries.extend(address.to_le_bytes());
    }
    memory.put(0x7fd_0000, &table(b"XSDT", &entries));
    memory.put(0xf_0000, &rsdp(2, 0, 0x7fd_0000));
    memory
}

pub fn read(memory: &FakeMemory) -> Result<AcpiInfo, String> {
    AcpiInfo::read(&Rsdp::Address(0xf_0000), ApicId(0), memory).map_err(|error| error.to_string())
}

fn mcfg(entries: &[(u64, u16, u8, u8)]) -> Vec<u8> {
    let mut body = vec![0; 8];
    for (base, segment, first, last) in entries {
        body.extend(base.to_le_bytes());
        body.extend(segment.to_le_bytes());
        body.extend([*first, *last, 0, 0, 0, 0]);
    }
    table(b"MCFG", &body)
}

#[test]
fn configuration_space_in_memory_is_found_segment_by_segment() {
    let table = mcfg(&[(0xb000_0000, 0, 0, 255), (0x10_0000_0000, 1, 0x40, 0x7f)]);
    let info = read(&machine(&[qemu_madt(), table])).unwrap();
    let windows = info.ecam.unwrap();
    let found = windows
        .iter()
        .map(|it| (it.segment, it.range.start, it.range.len()));
    let expected = [(0, 0xb000_0000, 256 << 20), (1, 0x10_0400_0000, 64 << 20)];
    assert!(found.eq(expected), "{windows:?}");
    assert_eq!(read(&machine(&[qemu_madt()])).unwrap().ecam, Ok(vec![]));
}

#[test]
fn an_mcfg_that_cannot_be_used_is_named_and_the_machine_boots() {
    let wrong = [
        (vec![(0xb000_0000, 0, 9, 8)], "last bus"),
        (vec![(0xb008_0000, 0, 0, 8)], "base address"),
        (vec![(0, 0, 0, 8)], "base address"),
        (vec![(u64::MAX << 20, 0, 0, 255)], "base address"),
        (
            vec![(0xb000_0000, 0, 0, 8), (0xc000_0000, 0, 8, 9)],
            "segment",
        ),
        (
            vec![(0xb000_0000, 0, 0, 8), (0xb080_0000, 1, 0, 9)],
            "base address",
        ),
    ];
    for (entries, field) in wrong {
        let info = read(&machine(&[qemu_madt(), mcfg(&entries)])).unwrap();
        let error = info.ecam.unwrap_err().to_string();
        assert!(error.contains("MCFG") && error.contains(field), "{error}");
    }
    let mut cut = mcfg(&[(0xb000_0000, 0, 0, 255)]);
    cut.truncate(50);
    let info = read(&machine(&[qemu_madt(), seal(cut)])).unwrap();
    assert!(info.ecam.is_err());
    let mut unsealed = mcfg(&[(0xb000_0000, 0, 0, 255)]);
    unsealed[44] ^= 1;
    assert!(
        read(&machine(&[qemu_madt(), unsealed]))
            .unwrap()
            .ecam
            .is_err()
    );
}

#[test]
fn the_tables_of_an_ordinary_machine() {
    let hpet = table(
        b"HPET",
        &[
            0, 0, 0, 0, 0, 64, 0, 0, 0, 0, 0xd0, 0xfe, 0, 0, 0, 0, 0, 0, 0, 0,
        ],
    );
    let info = read(&machine(&[table(b"FACS", &[]), qemu_madt(), fadt(), hpet])).unwrap();
    assert_eq!(info.cpus, [ApicId(0), ApicId(1), ApicId(4)]);
    assert_eq!(info.local_apic_address, 0xfee0_0000);
    assert!(info.has_8259);
    assert_eq!(info.io_apics[0].address, 0xfec0_0000);
    assert_eq!(info.isa_interrupt(0).global_interrupt, 2);
    let serial = info.isa_interrupt(4);
    assert_eq!(
        (serial.global_interrupt, serial.active_low, serial.level),
        (20, true, true)
    );
    let keyboard = info.isa_interrupt(1);
    assert_eq!((keyboard.global_interrupt, keyboard.level), (1, false));
    assert_eq!(
        info.pm_timer,
        Some(PmTimer {
            port: 0x608,
            width_bits: 32
        })
    );
    let reset = info.reset.unwrap();
    assert_eq!((reset.register, reset.value), (Register::Port(0xcf9), 0x0f));
    assert_eq!(info.hpet, Some(0xfed0_0000));
}

#[test]
fn the_bsp_is_cpu_0_and_the_others_follow_in_order() {
    let memory = machine(&[madt(&[cpu(7, 1), cpu(3, 1), x2apic_cpu(300, 1), cpu(1, 1)])]);
    let info = AcpiInfo::read(&Rsdp::Address(0xf_0000), ApicId(300), &memory).unwrap();
    assert_eq!(info.cpus, [300, 7, 3, 1].map(ApicId));
    let stranger = AcpiInfo::read(&Rsdp::Address(0xf_0000), ApicId(9), &memory).unwrap();
    assert_eq!(stranger.cpus, [9, 7, 3, 300, 1].map(ApicId));
    assert_eq!(stranger.cpu_notes, [(ApicId(9), CpuNote::NotListed)]);
}

#[test]
fn a_cpu_that_is_there_twice_counts_once_and_an_empty_socket_not_at_all() {
    // As both kinds of entry; and an id of 32 bits that several entries share.
    let strange = x2apic_cpu(0x1716_1514, 1);
    let entries = [
        cpu(0, 1),
        cpu(5, 1),
        x2apic_cpu(5, 1),
        strange.clone(),
        strange,
    ];
    let twice = read(&machine(&[madt(&entries)])).unwrap();
    assert_eq!(twice.cpus, [0, 5, 0x1716_1514].map(ApicId));
    let notes = [5, 0x1716_1514].map(|id| (ApicId(id), CpuNote::ListedTwice));
    assert_eq!(twice.cpu_notes, notes);
    let empty = [
        cpu(0, 1),
        cpu(0, 0),
        cpu(255, 1),
        cpu(0, 2),
        x2apic_cpu(0, 0),
    ];
    let empty = read(&machine(&[madt(&empty)])).unwrap();
    assert_eq!(empty.cpus, [ApicId(0)]);
    let notes = [(255, CpuNote::Broadcast), (0, CpuNote::NotPlugged)];
    assert_eq!(empty.cpu_notes, notes.map(|(id, note)| (ApicId(id), note)));
}

#[test]
fn the_root_pointer_is_found_where_a_bios_puts_it() {
    let mut memory = machine(&[qemu_madt()]);
    let found = |memory: &FakeMemory| AcpiInfo::read(&Rsdp::Search, ApicId(0), memory);
    assert_eq!(found(&memory).unwrap().cpus.len(), 3);
    let mut copy = memory.pieces.remove(&0xf_0000).unwrap();
    assert_eq!(found(&memory).unwrap_err().block, "RSDP");
    let given = AcpiInfo::read(&Rsdp::Copy(copy.clone()), ApicId(0), &memory);
    assert_eq!(given.unwrap().cpus.len(), 3);

    // One with a wrong checksum is passed over.
    memory.put(0x40e, &0x9fc0u16.to_le_bytes());
    memory.put(0x9_fc20, &copy);
    assert_eq!(found(&memory).unwrap().cpus.len(), 3);
    copy[8] ^= 1;
    memory.put(0x9_fc20, &copy);
    assert_eq!(found(&memory).unwrap_err().problem, Problem::Missing);
}

#[test]
fn an_rsdt_will_do_and_the_address_override_counts() {
    let mut memory = FakeMemory::default();
    let entries = [cpu(0, 1), vec![5, 12, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]];
    memory.put(0x2000, &madt(&entries));
    memory.put(0x1000, &table(b"RSDT", &[0, 0, 0, 0, 0, 0x20, 0, 0]));
    memory.put(0xf_0000, &rsdp(0, 0x1000, 0));
    assert_eq!(read(&memory).unwrap().local_apic_address, 1 << 32);
}

#[test]
fn what_is_wrong_is_named() {
    let cases: [(Vec<u8>, &str); 5] = [
        (
            madt(&[cpu(0, 1), vec![0, 0]]),
            "MADT: entry length: is 0x0, should be at least 2",
        ),
        (
            madt(&[cpu(0, 1), vec![0, 8, 0]]),
            "MADT: entry length: cut off after 3 bytes",
        ),
        (
            madt(&[cpu(0, 1), vec![0, 4, 0, 0]]),
            "MADT: local APIC: flags: cut off after 4 bytes",
        ),
        (
            table(b"APIC", &[0; 4]),
            "MADT: flags: cut off after 40 bytes",
        ),
        (table(b"XXXX", &[]), "XSDT: entry for the MADT: missing"),
    ];
    for (bytes, message) in cases {
        assert_eq!(read(&machine(&[bytes])).unwrap_err(), message);
    }

    let mut loops = machine(&[]);
    loops.put(
        0x7fd_0000,
        &table(b"XSDT", &0x7fd_0000u64.to_le_bytes().repeat(1000)),
    );
    assert_eq!(
        read(&loops).unwrap_err(),
        "XSDT: entry for the MADT: missing"
    );

    let mut long = machine(&[qemu_madt()]);
    long.pieces.get_mut(&0x7fe_0000).unwrap()[7] = 0xff;
    assert_eq!(
        read(&long).unwrap_err(),
        "MADT: length: longer than the limit of 1048576"
    );

    let mut far = fadt();
    far[78] = 1;
    let far = read(&machine(&[qemu_madt(), seal(far)])).unwrap_err();
    assert_eq!(far, "FADT: PM_TMR_BLK: is 0x10608, should be an I/O port");
}

/// Boots with a word of warning what Linux boots with one: wrong checksums everywhere but in the root pointer, an entry
/// that leads nowhere, two overrides of one interrupt, a root pointer that says another length.
#[test]
fn what_linux_tolerates_is_a_note() {
    let mut memory = machine(&[qemu_madt(), fadt(), table(b"HPET", &[7; 20]), mcfg(&[])]);
    let tables = [0x7fd_0000, 0x7fe_0000, 0x7ff_0000, 0x800_0000, 0x801_0000];
    for address in tables {
        memory.pieces.get_mut(&address).unwrap()[9] ^= 0x55;
    }
    let info = read(&memory).unwrap();
    let notes: Vec<String> = info.notes.iter().map(ToString::to_string).collect();
    let names = ["XSDT", "MADT", "FADT", "HPET", "MCFG"];
    assert_eq!(
        notes,
        names.map(|name| format!("{name}: checksum: the bytes do not sum up to 0"))
    );
    assert_eq!((info.cpus.len(), info.ecam), (3, Ok(vec![])));
    assert!(info.pm_timer.is_some());

    let mut nowhere = machine(&[fadt(), qemu_madt()]);
    nowhere.pieces.remove(&0x7fe_0000);
    let info = read(&nowhere).unwrap();
    assert_eq!(
        info.notes[0].to_string(),
        "XSDT: address: nothing can be read at 0x7fe0000"
    );
    assert_eq!(info.pm_timer, None);

    let overrides = [5, 9].map(|to| vec![2, 10, 0, 9, to, 0, 0, 0, 0, 0]);
    let twice = [cpu(0, 1), overrides[0].clone(), overrides[1].clone()];
    let info = read(&machine(&[madt(&twice)])).unwrap();
    assert_eq!(info.isa_interrupt(9).global_interrupt, 9);
    assert_eq!(info.notes.len(), 1);

    let mut odd = machine(&[qemu_madt()]);
    let pointer = odd.pieces.get_mut(&0xf_0000).unwrap();
    pointer[20..24].copy_from_slice(&0x24_0000u32.to_le_bytes());
    pointer[32] = 0;
    pointer[32] = 0u8.wrapping_sub(pointer.iter().fold(0, |sum, byte| sum.wrapping_add(*byte)));
    assert_eq!(read(&odd).unwrap().cpus.len(), 3);
}

#[test]
fn a_machine_without_the_old_hardware_has_no_pm_timer() {
    let mut reduced = fadt();
    reduced[114] |= 1 << 4;
    let info = read(&machine(&[qemu_madt(), seal(reduced.clone())])).unwrap();
    assert_eq!(info.pm_timer, None);

    // As cloud-hypervisor has it: reduced hardware, and the timer in the extended field alone.
    for bytes in [&mut reduced, &mut fadt()] {
        bytes[208..220].copy_from_slice(&[1, 32, 0, 3, 8, 6, 0, 0, 0, 0, 0, 0]);
        let info = read(&machine(&[qemu_madt(), seal(bytes.clone())])).unwrap();
        assert_eq!(info.pm_timer.unwrap().port, 0x608);
    }

    let mut extended = fadt();
    extended[208..220].copy_from_slice(&[1, 32, 0, 3, 8, 0xb0, 0, 0, 0, 0, 0, 0]);
    let info = read(&machine(&[qemu_madt(), seal(extended)])).unwrap();
    assert_eq!(info.pm_timer.unwrap().port, 0xb008);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Tables that were changed at random, resealed or not, give an answer; and where it is an answer, no CPU is in it
    /// twice.
    #[test]
    fn damaged_tables_get_an_answer(
        which in 0usize..5, changes in proptest::collection::vec((0usize..300, any::<u8>()), 1..6), resealed: bool,
        cut in proptest::option::of(0usize..300),
    ) {
        let mut memory = machine(&[qemu_madt(), fadt(), table(b"HPET", &[7; 20])]);
        let addresses = [0xf_0000, 0x7fd_0000, 0x7fe_0000, 0x7ff_0000, 0x800_0000];
        let bytes = memory.pieces.get_mut(&addresses[which]).unwrap();
        let length = bytes.len();
        for (offset, value) in changes {
            bytes[offset % length] = value;
        }
        bytes.truncate(cut.unwrap_or(length));
        if resealed && bytes.len() >= 36 {
            *bytes = seal(bytes.clone());
        }
        match read(&memory) {
            Ok(info) => {
                let mut ids = info.cpus.clone();
                ids.sort();
                ids.dedup();
                prop_assert_eq!(ids.len(), info.cpus.len());
                prop_assert_eq!(info.cpus[0], ApicId(0));
            }
            Err(message) => prop_assert!(message.contains(": "), "{}", format!("{message:?}")),
        }
    }
}
