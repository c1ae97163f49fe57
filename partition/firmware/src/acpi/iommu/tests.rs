use super::*;
use crate::acpi::tests::{machine, qemu_madt, read, seal, table};
use alloc::string::{String, ToString};
use alloc::vec;
use proptest::prelude::*;

fn words(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn drhd(segment: u16, registers: u64) -> Vec<u8> {
    // One device scope, of an I/O APIC, follows.
    let scope = [3, 8, 0, 0, 0, 0xff, 0, 0];
    let head = [0, 0, 24, 0, 1, 0];
    words(&[
        &head,
        &segment.to_le_bytes(),
        &registers.to_le_bytes(),
        &scope,
    ])
}

fn rmrr(start: u64, last: u64) -> Vec<u8> {
    let head = [1, 0, 32, 0, 0, 0, 0, 0];
    let scope = [1, 8, 0, 0, 0, 0, 0x1d, 0];
    words(&[&head, &start.to_le_bytes(), &last.to_le_bytes(), &scope])
}

fn dmar(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![38, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    body.extend(entries.concat());
    table(b"DMAR", &body)
}

fn ivhd(kind: u8, segment: u16, registers: u64) -> Vec<u8> {
    let length = if kind == 0x10 { 28 } else { 44 };
    let mut entry = vec![kind, 0, length, 0, 0x10, 0, 0x40, 0];
    entry.extend(registers.to_le_bytes());
    entry.extend(segment.to_le_bytes());
    entry.resize(length.into(), 0);
    // All devices.
    let end = entry.len();
    entry[end - 4] = 1;
    entry
}

fn ivmd(kind: u8, start: u64, bytes: u64) -> Vec<u8> {
    let head = [kind, 0x07, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    words(&[&head, &start.to_le_bytes(), &bytes.to_le_bytes()])
}

fn ivrs(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![0; 12];
    body.extend(entries.concat());
    table(b"IVRS", &body)
}

fn found(tables: &[Vec<u8>]) -> Result<Iommus, String> {
    let all: Vec<Vec<u8>> = [qemu_madt()].into_iter().chain(tables.to_vec()).collect();
    let info = read(&machine(&all)).unwrap();
    info.iommus.map_err(|error| error.to_string())
}

#[test]
fn a_machine_without_the_tables_has_no_iommu() {
    assert_eq!(found(&[]), Ok(Iommus::default()));
}

#[test]
fn intels_units_and_reserved_memory_are_found_and_the_rest_is_named() {
    let atsr = vec![2, 0, 8, 0, 1, 0, 0, 0];
    let new = vec![9, 1, 4, 0];
    let entries = [
        drhd(0, 0xfed9_0000),
        atsr,
        rmrr(0x7d80_0000, 0x7fff_ffff),
        new,
        drhd(1, 0x10_0000_0000),
    ];
    let iommus = found(&[dmar(&entries)]).unwrap();
    let units: Vec<_> = iommus
        .units
        .iter()
        .map(|it| (it.segment, it.registers))
        .collect();
    assert_eq!(units, [(0, 0xfed9_0000), (1, 0x10_0000_0000)]);
    assert!(iommus.units.iter().all(|unit| unit.vendor == Vendor::Intel));
    let range = Range::new(0x7d80_0000, 0x8000_0000);
    assert_eq!(iommus.reserved, [ReservedMemory { segment: 0, range }]);
    let skipped: Vec<_> = iommus
        .skipped
        .iter()
        .map(|it| (it.name, it.kind, it.offset))
        .collect();
    assert_eq!(skipped, [("ATSR", 2, 72), ("unknown", 0x109, 112)]);
}

#[test]
fn amds_unit_counts_once_in_whichever_forms_it_is_there() {
    let entries = [
        ivhd(0x10, 0, 0xfeb8_0000),
        ivhd(0x11, 0, 0xfeb8_0000),
        ivhd(0x40, 0, 0xfeb8_0000),
        ivmd(0x21, 0x1000_0000, 0x2000),
        vec![0x50, 0, 4, 0],
    ];
    let iommus = found(&[ivrs(&entries)]).unwrap();
    let unit = Unit {
        vendor: Vendor::Amd,
        segment: 0,
        registers: 0xfeb8_0000,
    };
    assert_eq!(iommus.units, [unit]);
    let range = Range::new(0x1000_0000, 0x1000_2000);
    assert_eq!(iommus.reserved, [ReservedMemory { segment: 0, range }]);
    assert_eq!(iommus.skipped[0].kind, 0x50);
}

#[test]
fn what_is_wrong_is_named_and_the_machine_is_read_nevertheless() {
    let many: Vec<_> = (0..65_u64)
        .map(|it| drhd(0, 0xfed0_0000 + it * 4096))
        .collect();
    let cases = [
        (
            dmar(&[vec![0, 0, 3, 0]]),
            "DMAR: entry length: is 0x3, should be at least 4",
        ),
        (
            dmar(&[vec![0, 0, 24, 0, 1, 0]]),
            "DMAR: entry length: cut off after 6 bytes",
        ),
        (
            dmar(&[vec![0, 0, 8, 0, 1, 0, 0, 0]]),
            "DMAR: DRHD: register base address: cut off after 8 bytes",
        ),
        (
            dmar(&[drhd(0, 0xfed9_0000), drhd(1, 0xfed9_0000)]),
            "DMAR: register base address: there twice (0xfed90000)",
        ),
        (
            dmar(&[drhd(0, 0xfed9_0010)]),
            "DMAR: register base address: is 0xfed90010, should be a multiple of 4096, and not 0",
        ),
        (
            dmar(&many),
            "DMAR: number of units: longer than the limit of 64",
        ),
        (
            dmar(&[rmrr(0x2000, 0x1fff)]),
            "DMAR: start of reserved memory: is 0x2000, should be below the end of the reserved memory",
        ),
        (
            ivrs(&[ivmd(0x20, u64::MAX - 1, 2)]),
            "IVRS: start of reserved memory: is 0xfffffffffffffffe, should be below the end of the reserved memory",
        ),
    ];
    for (bytes, message) in cases {
        assert_eq!(found(&[bytes]).unwrap_err(), message);
    }
    let both = [dmar(&[]), ivrs(&[])];
    assert_eq!(
        found(&both).unwrap_err(),
        "DMAR: IVRS beside it: there twice (0x0)"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Tables that were changed at random give an answer, in which no unit is twice.
    #[test]
    fn damaged_tables_get_an_answer(
        is_intel: bool, changes in proptest::collection::vec((36usize..300, any::<u8>()), 1..6),
        cut in proptest::option::of(36usize..300),
    ) {
        let mut bytes = match is_intel {
            true => dmar(&[drhd(0, 0xfed9_0000), rmrr(0x1000, 0x1fff), drhd(1, 0xfed9_1000)]),
            false => ivrs(&[ivhd(0x10, 0, 0xfeb8_0000), ivhd(0x11, 0, 0xfeb8_0000), ivmd(0x22, 0, 4096)]),
        };
        let length = bytes.len();
        for (offset, value) in changes {
            bytes[36 + offset % (length - 36)] = value;
        }
        bytes.truncate(cut.unwrap_or(length));
        match found(&[seal(bytes)]) {
            Ok(iommus) => {
                let mut registers: Vec<u64> = iommus.units.iter().map(|it| it.registers).collect();
                registers.sort_unstable();
                registers.dedup();
                prop_assert_eq!(registers.len(), iommus.units.len());
            }
            Err(message) => prop_assert!(message.contains(": "), "{message}"),
        }
    }
}
