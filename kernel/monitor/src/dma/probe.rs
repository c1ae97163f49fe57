//! What the machine's IOMMUs can do, and where their tables will be. Found before memory is divided.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use arch::paging::Protection;
use iommu::{Shape, Unit};
use partition::acpi::iommu::{Iommus, Vendor};
use partition::cmdline::{COMPUTE_SLICES_MAX, IommuOwner, Options};
use partition::{MemoryMap, Range, RangeSet};

use super::hardware::UnitRegisters;

const PAGE_BYTES: u64 = 4096;
/// Reserved memory is the firmware's work areas and the memory of built-in graphics: some GiB at most.
const RESERVED_BYTES_MAX: u64 = 64 << 30;
/// What the plan places and devices do not reach, or only one owner's do: shared region, disk in memory, backup, the
/// next backup's slot, two pieces below 1 MiB, computations.
const PLACED_MAX: usize = 6 + COMPUTE_SLICES_MAX;
/// Tables are in one piece, so that few of the monitor's own page tables are needed.
const ALIGN_BYTES: u64 = 2 << 20;

/// The IOMMUs that are used.
#[derive(Clone, Debug)]
pub struct DmaFacts {
    /// Whose they are.
    pub owner: IommuOwner,
    /// What the firmware says.
    pub iommus: Iommus,
    /// Which tables all of them understand.
    pub shape: Shape,
    /// The pages of their registers.
    pub register_pages: Vec<u64>,
    /// Memory for tables.
    pub tables: Range,
}

impl DmaFacts {
    /// Returns what has to be mapped, and how.
    pub fn mapped(&self) -> impl Iterator<Item = (Range, Protection)> {
        let page = |it: &u64| (Range::new(*it, *it + PAGE_BYTES), Protection::Device);
        let registers = self.register_pages.iter().map(page);
        registers.chain([(self.tables, Protection::ReadWrite)])
    }
}

/// Makes a unit, whose registers are mapped at `base` plus their physical address.
///
/// # Safety
/// As for [`UnitRegisters::new`].
pub unsafe fn unit(unit: &partition::acpi::iommu::Unit, base: u64) -> Unit<UnitRegisters> {
    // SAFETY: the caller's promise.
    let registers = unsafe { UnitRegisters::new(base + unit.registers) };
    match unit.vendor {
        Vendor::Intel => Unit::intel(registers, unit.segment),
        Vendor::Amd => Unit::amd(registers, unit.segment),
    }
}

/// Looks at the units, and takes memory for their tables out of `free`. `None` if the machine is used as one without an
/// IOMMU, which is logged unless there is none.
///
/// # Safety
/// The first `mapped_bytes` of physical memory are mapped at their addresses; nobody uses the units.
pub unsafe fn probe(
    iommus: &Iommus,
    options: &Options,
    map: &MemoryMap,
    free: &RangeSet,
    mapped_bytes: u64,
) -> Option<DmaFacts> {
    let owner = options.iommu;
    if iommus.units.is_empty() || owner == IommuOwner::Nobody {
        return None;
    }
    let refuse = |reason: &str| {
        log::error!("IOMMU: {reason}; the machine is used as one without an IOMMU");
        None
    };
    let usable = map.usable();
    let mut register_pages = BTreeSet::new();
    let mut shapes = Vec::new();
    for described in &iommus.units {
        let first = Range::new(
            described.registers,
            described.registers.saturating_add(PAGE_BYTES),
        );
        if first.end > mapped_bytes || usable.as_slice().iter().any(|it| it.overlaps(first)) {
            return refuse("registers that lie in memory, or above 4 GiB");
        }
        // SAFETY: the page is mapped, and is no memory.
        let unit = unsafe { unit(described, 0) };
        let pages = unit.register_bytes().div_ceil(PAGE_BYTES);
        register_pages.extend((0..pages).map(|it| first.start + it * PAGE_BYTES));
        shapes.push(unit.shape());
    }
    let Some(shape) = iommu::common_shape(shapes) else {
        return refuse("no form of tables that all units understand");
    };
    let mut iommus = iommus.clone();
    iommus.reserved.retain(|it| {
        let is_memory = usable
            .as_slice()
            .iter()
            .any(|memory| memory.overlaps(it.range));
        let is_small = it.range.len() <= RESERVED_BYTES_MAX && it.range.end <= shape.end();
        if is_memory || !is_small {
            let range = it.range;
            log::warn!(
                "IOMMU: reserved memory {range} lies in memory or cannot be; no device reaches it"
            );
        }
        !is_memory && is_small
    });
    let reserved = iommus.reserved.iter().map(|it| it.range);
    let all = usable.as_slice().iter().copied().chain(reserved);
    let all: Vec<_> = all.map(super::plain).collect();
    if all.iter().any(|it| it.end > shape.end()) {
        return refuse("memory that its tables do not reach");
    }
    let segments: BTreeSet<u16> = iommus.units.iter().map(|it| it.segment).collect();
    let (segments, units) = (segments.len() as u64, iommus.units.len() as u64);
    // What is occupied, and what the plan will place, cut memory; at most these are the owners' pieces beyond its own.
    let pieces = 2 * (free.as_slice().len() + PLACED_MAX) as u64;
    let bytes = iommu::bytes_max(shape, segments, units, 2, &all, pieces);
    let bytes = bytes.next_multiple_of(ALIGN_BYTES);
    let tables = free
        .clone()
        .allocate_top(bytes, ALIGN_BYTES, Range::new(1 << 20, mapped_bytes));
    let Some(tables) = tables else {
        return refuse("no memory for its tables");
    };
    Some(DmaFacts {
        owner,
        iommus,
        shape,
        register_pages: register_pages.into_iter().collect(),
        tables,
    })
}
