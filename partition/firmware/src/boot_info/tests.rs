use super::*;
use crate::testing::FakeMemory;
use alloc::string::ToString;
use alloc::vec;
use proptest::prelude::*;

const START: u64 = 0x6000;

fn words(values: &[u64]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

fn pair(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// Makes what QEMU gives: version 1, one module, a memory map, an RSDP.
fn pvh_machine() -> FakeMemory {
    let mut memory = FakeMemory::default();
    memory.put(
        START,
        &words(&[
            pair(PVH_MAGIC, 1),
            pair(0, 1),
            0x7000,
            0x8000,
            0xf_5a40,
            0x9000,
            pair(2, 0),
        ]),
    );
    memory.put(0x7000, &words(&[0x1f00_0000, 0x4000, 0, 0]));
    memory.put(0x8000, b"primary_kernel=/a failover_kernel=/b\0");
    memory.put(0x9000, &words(&[0, 0x9_fc00, 1, 0x10_0000, 0x1ff0_0000, 1]));
    memory
}

fn tag(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = words(&[pair(kind, body.len() as u32 + 8)]);
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

fn grub_tags() -> Vec<Vec<u8>> {
    let mut module = words(&[pair(0x20_0000, 0x20_1234)]);
    module.extend(b"/boot/a.elf\0");
    let mut map = words(&[pair(24, 0)]);
    map.extend(words(&[0, 0x9_fc00, 1, 0x10_0000, 0x1ff0_0000, 1]));
    vec![
        tag(1, b"debug=1\0"),
        tag(2, b"GRUB 2.06\0"),
        tag(3, &module),
        tag(6, &map),
        tag(14, b"old"),
        tag(15, b"new"),
        tag(0, b""),
    ]
}

fn multiboot(tags: &[Vec<u8>]) -> FakeMemory {
    let body = tags.concat();
    let mut bytes = words(&[pair(body.len() as u32 + 8, 0)]);
    bytes.extend(body);
    let mut memory = FakeMemory::default();
    memory.put(START, &bytes);
    memory
}

fn read_pvh(memory: &FakeMemory) -> Result<BootInfo, String> {
    BootInfo::read(PVH_MAGIC, START, memory).map_err(|error| error.to_string())
}

fn read_multiboot(memory: &FakeMemory) -> Result<BootInfo, String> {
    BootInfo::read(MULTIBOOT2_MAGIC, START, memory).map_err(|error| error.to_string())
}

#[test]
fn pvh_gives_everything() {
    let info = read_pvh(&pvh_machine()).unwrap();
    assert_eq!(info.command_line, "primary_kernel=/a failover_kernel=/b");
    assert_eq!(
        info.memory_map.usable().as_slice(),
        [Range::new(0, 0x9_fc00), Range::new(0x10_0000, 0x2000_0000)]
    );
    assert_eq!(info.rsdp, Rsdp::Address(0xf_5a40));
    assert_eq!(
        info.modules,
        [Module {
            range: Range::new(0x1f00_0000, 0x1f00_4000),
            name: String::new()
        }]
    );
}

#[test]
fn multiboot2_gives_everything() {
    let info = read_multiboot(&multiboot(&grub_tags())).unwrap();
    assert_eq!(info.command_line, "debug=1");
    assert_eq!(info.memory_map.usable().as_slice().len(), 2);
    assert_eq!(info.rsdp, Rsdp::Copy(b"new".to_vec()));
    assert_eq!(
        info.modules,
        [Module {
            range: Range::new(0x20_0000, 0x20_1234),
            name: "/boot/a.elf".into()
        }]
    );
    let mut tags = grub_tags();
    tags.remove(5);
    let info = read_multiboot(&multiboot(&tags)).unwrap();
    assert_eq!(info.rsdp, Rsdp::Copy(b"old".to_vec()));
}

#[test]
fn what_pvh_cannot_have_is_named() {
    let cases: [(u64, usize, &[u8], &str); 8] = [
        (
            START,
            0,
            &[0],
            "hvm_start_info: magic: is 0x336ec500, should be 0x336ec578",
        ),
        (
            START,
            4,
            &[0],
            "hvm_start_info: version: is 0x0, should be at least 1",
        ),
        (
            START,
            12,
            &[65],
            "hvm_start_info: nr_modules: longer than the limit of 64",
        ),
        (
            START,
            18,
            &[9],
            "hvm_modlist_entry: address: nothing can be read at 0x97000",
        ),
        (START, 48, &[0], "hvm_start_info: memmap_entries: missing"),
        (
            START,
            50,
            &[1],
            "hvm_start_info: memmap_entries: longer than the limit of 1024",
        ),
        (
            0x7000,
            8,
            &[255; 8],
            "hvm_modlist_entry: size: is 0xffffffffffffffff, should be less than what would pass the end of memory",
        ),
        (
            0x8000,
            3,
            &[255],
            "hvm_start_info: cmdline_paddr: not UTF-8",
        ),
    ];
    for (piece, offset, bytes, message) in cases {
        let mut memory = pvh_machine();
        let piece = memory.pieces.get_mut(&piece).unwrap();
        piece[offset..offset + bytes.len()].copy_from_slice(bytes);
        assert_eq!(read_pvh(&memory).unwrap_err(), message);
    }
    let mut long = pvh_machine();
    // Nothing lies in its way.
    long.pieces.retain(|at, _| !(0x8000..0xa000).contains(at));
    long.put(0x8000, &[b'a'; 7000]);
    assert_eq!(
        read_pvh(&long).unwrap_err(),
        "hvm_start_info: cmdline_paddr: longer than the limit of 6143"
    );
}

#[test]
fn what_multiboot2_cannot_have_is_named() {
    let changed = |place: usize, new: Vec<u8>| {
        let mut tags = grub_tags();
        tags[place] = new;
        read_multiboot(&multiboot(&tags)).unwrap_err()
    };
    let nothing = "Multiboot2 information: memory map tag: missing";
    assert_eq!(changed(3, tag(2, b"\0")), nothing);
    assert_eq!(
        changed(6, vec![]),
        "Multiboot2 information: tag type: cut off after 176 bytes"
    );
    assert_eq!(
        changed(1, words(&[pair(2, 7)])),
        "Multiboot2 information: tag size: is 0x7, should be at least 8"
    );
    assert_eq!(
        changed(1, words(&[pair(2, 0xffff_fff0)])),
        "Multiboot2 information: tag size: cut off after 144 bytes"
    );
    assert_eq!(
        changed(1, tag(1, b"again\0")),
        "Multiboot2 command line: tag: there twice (0x0)"
    );
    assert_eq!(
        changed(0, tag(1, b"no end")),
        "Multiboot2 command line: string: cut off after 6 bytes"
    );
    assert_eq!(
        changed(2, tag(3, &words(&[pair(9, 8), 0]))),
        "Multiboot2 module: mod_end: is 0x8, should be at least mod_start"
    );
    assert_eq!(
        changed(3, tag(6, &words(&[pair(0, 0), 0, 0, 0]))),
        "Multiboot2 memory map: entry_size: is 0x0, should be at least 24"
    );
    let mut huge = multiboot(&grub_tags());
    huge.pieces.get_mut(&START).unwrap()[3] = 0x7f;
    assert_eq!(
        read_multiboot(&huge).unwrap_err(),
        "Multiboot2 information: total_size: longer than the limit of 1048576"
    );
}

#[test]
fn another_protocol_is_refused() {
    let error = BootInfo::read(0x2bad_b002, START, &pvh_machine()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "boot loader: magic number: is 0x2badb002, should be PVH's or Multiboot2's"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_damaged_hand_off_gets_an_answer(
        pvh: bool, piece in 0usize..4, changes in proptest::collection::vec((0usize..200, any::<u8>()), 1..6),
        cut in proptest::option::of(0usize..200),
    ) {
        let mut memory = if pvh { pvh_machine() } else { multiboot(&grub_tags()) };
        let pieces = memory.pieces.len();
        let bytes = memory.pieces.values_mut().nth(piece % pieces).unwrap();
        let length = bytes.len();
        for (offset, value) in changes {
            bytes[offset % length] = value;
        }
        bytes.truncate(cut.unwrap_or(length));
        let answer = if pvh { read_pvh(&memory) } else { read_multiboot(&memory) };
        if let Ok(info) = answer {
            prop_assert!(info.command_line.len() <= COMMAND_LINE_BYTES_MAX && info.modules.len() <= MODULES_MAX);
            prop_assert!(info.modules.iter().all(|module| module.range.start <= module.range.end));
        }
    }
}
