//! The plan: who gets which cores and which memory, or why that cannot be done.

mod compute;
mod cores;
mod images;
mod low;
mod memory;
mod placement;
mod slice_layout;
mod table;

pub use compute::{COMPUTE_BYTES_MIN, ComputeSlice};
pub use slice_layout::{SLICE_REVISIONS, SliceLayout};

use alloc::format;
use alloc::vec::Vec;
use core::fmt;

use sharedmem::PerInstance;

use crate::acpi::iommu::Iommus;
use crate::acpi::{ApicId, CpuNote};
use crate::cmdline::{Options, Rearm};
use crate::memory::{MemoryMap, Region, RegionKind};
use crate::range::{Range, RangeSet};
use crate::refusal::Refusal;
use crate::tenant::{Kinds, Needs};

/// Everything that is given out begins and ends on this boundary, a large page, so that no two owners share a page
/// table entry.
pub const ALIGN_BYTES: u64 = 2 << 20;

/// Size of the control block at the start of the shared region.
const CONTROL_BYTES: u64 = sharedmem::abi::CONTROL_BYTES as u64;

/// Below this address firmware and boot loader write when the platform resets; what must outlive that lies above.
pub const SURVIVES_RESET_START: u64 = 48 << 20;

/// The shared region ends at or below this address: as far as the boot image's first page tables reach.
pub const SHARED_END: u64 = 4 << 30;

/// The least memory a backup can do with, in bytes.
pub const BACKUP_BYTES_MIN: u64 = 16 << 20;

/// The least memory a primary can do with, in bytes, in one piece.
pub const PRIMARY_BYTES_MIN: u64 = 16 << 20;

/// The smallest journal, in bytes.
pub const JOURNAL_BYTES_MIN: u64 = 1 << 20;

/// A CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpu {
    /// Its number; the BSP is 0.
    pub number: u32,
    /// The number of its local APIC.
    pub apic_id: ApicId,
}

/// What there is to divide.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// The CPUs' local APICs, the BSP's first.
    pub cpus: Vec<ApicId>,
    /// The numbers of the CPUs that did not answer the roll call; they take no part.
    pub silent: Vec<u32>,
    /// What is odd about what the firmware says of CPUs.
    pub cpu_notes: Vec<(ApicId, CpuNote)>,
    /// The memory.
    pub memory_map: MemoryMap,
    /// Memory that is in use, and for what: boot image, boot archive, trampoline page, ...
    pub occupied: Vec<(Range, &'static str)>,
    /// What the images are.
    pub kinds: Kinds,
    /// Memory that the images need below 4 GiB.
    pub needs: Needs,
    /// The IOMMUs.
    pub iommus: Iommus,
}

impl Machine {
    /// Returns the machine QEMU (q35) makes of this many CPUs and bytes of memory, for checks on another machine. Boot
    /// image and archive are not in it.
    pub fn typical(cpus: u32, memory_bytes: u64) -> Self {
        const GIB: u64 = 1 << 30;
        // The PCI hole: from 2 GiB on once memory would reach 2.75 GiB, else RAM is in one piece.
        let low_bytes = match memory_bytes {
            0..0xb000_0000 => memory_bytes,
            _ => 2 * GIB,
        };
        let firmware_start = low_bytes.saturating_sub(128 << 10);
        let usable = [
            (0, 0x9_fc00),
            (0x10_0000, firmware_start.saturating_sub(0x10_0000)),
            (4 * GIB, memory_bytes - low_bytes),
        ];
        let reserved = [
            (0x9_fc00, 0x6_0400),
            (firmware_start, 128 << 10),
            (0xfec0_0000, 0x140_0000),
        ];
        let regions = |list: [(u64, u64); 3], kind| {
            list.map(|(start, size)| Region::sized(start, size, kind))
        };
        let claims = regions(usable, RegionKind::Usable)
            .into_iter()
            .chain(regions(reserved, RegionKind::Reserved));
        Self {
            cpus: (0..cpus).map(ApicId).collect(),
            memory_map: MemoryMap::new(claims),
            ..Self::default()
        }
    }
}

/// What one instance has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    /// Its CPUs, rising.
    pub cpus: Vec<Cpu>,
    /// Its memory, the largest range first.
    pub ranges: Vec<Range>,
}

/// Who gets what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The BSP, on which the monitor stays and the backup waits.
    pub seat: Cpu,
    /// The primary's slice.
    pub primary: Slice,
    /// The backup's slice. Its CPUs, often none, stay parked until it is promoted; the seat is not one of them.
    pub backup: Slice,
    /// The slices for computations. No other owner has, sees or stops any of it.
    pub compute: Vec<ComputeSlice>,
    /// The shared region: the control block, then the journal.
    pub shared: Range,
    /// Memory offered to tenants as a disk; behind the journal.
    pub pmem: Option<Range>,
    /// Where a second backup waits, once the first one is the primary: a part of the first primary's memory. Only if
    /// both wait in slots.
    pub spare: Option<Range>,
    /// Memory below 1 MiB, for instances that need it; others' is empty.
    pub low: PerInstance<Range>,
    /// What the images are.
    pub kinds: Kinds,
    /// Size of the control block, in bytes.
    pub control_bytes: u64,
    /// CPUs that take no part, since there are more than [`MAX_CORES`](sharedmem::MAX_CORES).
    pub parked: Vec<Cpu>,
    /// CPUs that the firmware lists and that did not answer.
    pub silent: Vec<Cpu>,
    /// What is odd about what the firmware says of CPUs.
    pub cpu_notes: Vec<(ApicId, CpuNote)>,
    /// Memory that nobody gets, since the primary's slice would have more than
    /// [`RANGES_MAX`](sharedmem::hand_off::RANGES_MAX) ranges.
    pub left_over: Vec<Range>,
    /// Memory above [`USABLE_END`](crate::memory::USABLE_END), which nobody gets.
    pub unreachable: Vec<Range>,
    /// Persistent memory, with its E820 type. Nobody gets it.
    pub persistent: Vec<(Range, u32)>,
    /// Memory that was in use before, and for what.
    pub occupied: Vec<(Range, &'static str)>,
    /// The IOMMUs.
    pub iommus: Iommus,
    /// What was asked for.
    pub options: Options,
}

/// Divides the machine as the options ask.
///
/// # Errors
/// The option that cannot be satisfied, its value, why it cannot be, and a value that can: given that, this refusal
/// goes away.
pub fn plan(options: &Options, machine: &Machine) -> Result<Plan, Refusal> {
    let cpus = machine.cpus.len().min(sharedmem::MAX_CORES) as u32;
    let mut options = options.clone();
    options.failover_cpus = options.failover_cpus.on(cpus);
    for clause in &mut options.compute {
        clause.cpus = clause.cpus.on(cpus);
    }
    let options = &options;
    if options.failover_rearm == Rearm::Auto && !machine.kinds.can_rearm() {
        let Kinds { primary, backup } = machine.kinds;
        let reason = format!(
            "a {primary} and a {backup} instance cannot be loaded beside each other while one of them runs"
        );
        let given = options.as_given("failover_rearm");
        return Err(Refusal::new("failover_rearm", given, reason, "manual"));
    }
    if options.qualify_takeovers > 0 && !machine.kinds.all(|it| it.reads_journal) {
        let Kinds { primary, backup } = machine.kinds;
        let reason =
            format!("only native instances die by themselves, not a {primary} and a {backup}");
        let given = options.as_given("qualify");
        return Err(Refusal::new("qualify", given, reason, "0"));
    }
    let cores = cores::share(options, machine)?;
    let memory = memory::share(options, machine)?;
    let low = low::share(machine)?;
    let clauses = options.compute.iter().cloned();
    let compute = clauses.zip(cores.compute).zip(memory.compute);
    let compute = compute.map(|((clause, cpus), range)| ComputeSlice {
        clause,
        cpus,
        range,
    });
    Ok(Plan {
        seat: cores.seat,
        primary: Slice {
            cpus: cores.primary,
            ranges: memory.primary,
        },
        backup: Slice {
            cpus: cores.backup,
            ranges: [memory.backup].into(),
        },
        compute: compute.collect(),
        shared: memory.shared,
        pmem: memory.pmem,
        spare: memory.spare,
        low,
        kinds: machine.kinds,
        control_bytes: CONTROL_BYTES,
        parked: cores.parked,
        silent: cores.silent,
        cpu_notes: machine.cpu_notes.clone(),
        left_over: memory.left_over,
        unreachable: machine.memory_map.unreachable().as_slice().to_vec(),
        persistent: machine.memory_map.persistent().collect(),
        occupied: machine.occupied.clone(),
        iommus: machine.iommus.clone(),
        options: options.clone(),
    })
}

impl Plan {
    /// Returns the journal's memory, behind the control block.
    pub fn journal(&self) -> Range {
        Range::new(self.shared.start + self.control_bytes, self.shared.end)
    }

    /// Returns the machine numbers of the cores that a promoted backup has, rising: the primary's, and those kept for
    /// the backup.
    pub fn successor_cores(&self) -> Vec<u32> {
        let cpus = self.primary.cpus.iter().chain(&self.backup.cpus);
        let mut cores: Vec<u32> = cpus.map(|cpu| cpu.number).collect();
        cores.sort_unstable();
        cores
    }

    /// Returns the memory that goes with the role of primary: the first primary's without the spare slot, in the blocks
    /// in which it is added.
    pub fn pool(&self) -> Vec<Range> {
        let all = self.primary.ranges.iter().copied().collect::<RangeSet>();
        let rest = all.without(self.spare.unwrap_or_default());
        let blocks = self
            .kinds
            .both()
            .map(|kind| kind.capabilities.memory_block_bytes);
        let block_bytes = blocks.into_iter().flatten().fold(ALIGN_BYTES, u64::max);
        rest.align_inward(block_bytes).as_slice().to_vec()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        table::write(f, self)
    }
}
