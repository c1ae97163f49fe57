//! The boot loader's information is read in bounded work, whatever lies in memory. What is accepted keeps the bounds
//! that a boot relies on.
//!
//! An input is a byte that chooses the protocol, and the memory from its information block on.

use partition::acpi::ApicId;
use partition::boot_info::{
    COMMAND_LINE_BYTES_MAX, MEMORY_MAP_ENTRIES_MAX, MODULES_MAX, MULTIBOOT2_MAGIC, PVH_MAGIC,
};
use partition::memory::USABLE_END;
use partition::{AcpiInfo, BootInfo};

use partition::testing::FakeMemory;

/// Address of the input.
const AT: u64 = 0x1000;

/// Limit of the reads: some for the blocks, and one for each byte of each text.
const READS_MAX: u64 = 8 + (MODULES_MAX as u64 + 1) * (COMMAND_LINE_BYTES_MAX as u64 + 1);

/// Checks the property. See the module.
pub fn check(data: &[u8]) {
    let Some((protocol, bytes)) = data.split_first() else {
        return;
    };
    let magic = match protocol % 2 {
        0 => PVH_MAGIC,
        _ => MULTIBOOT2_MAGIC,
    };
    let memory = FakeMemory::default().with(AT, bytes);
    let read = BootInfo::read(magic, AT, &memory);
    let reads = memory.take_reads();
    assert!(reads <= READS_MAX, "{reads} reads");
    match read {
        Ok(info) => is_sound(&info, &memory),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn is_sound(info: &BootInfo, memory: &FakeMemory) {
    assert!(info.command_line.len() <= COMMAND_LINE_BYTES_MAX);
    assert!(!info.command_line.contains('\0'));
    assert!(info.modules.len() <= MODULES_MAX);
    let regions = info.memory_map.regions();
    // Each claim has two edges.
    assert!(regions.len() <= 2 * MEMORY_MAP_ENTRIES_MAX);
    assert!(regions.iter().all(|region| !region.range.is_empty()));
    for pair in regions.windows(2) {
        let (low, high) = (pair[0], pair[1]);
        assert!(low.range.end <= high.range.start);
        assert!(low.range.end < high.range.start || low.kind != high.kind);
    }
    for range in info.memory_map.usable().as_slice() {
        assert!(!range.is_empty() && range.end <= USABLE_END);
    }
    // A boot does this next.
    let _ = AcpiInfo::read(&info.rsdp, ApicId(0), memory);
}
