//! The slices for computations: their CPUs and their memory, or why a slice cannot have them.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use sharedmem::MAX_CORES;

use super::memory::round_up;
use super::placement::{Placement, has_room_for_primary, largest, spots};
use super::{ALIGN_BYTES, Cpu, Machine, SHARED_END, SURVIVES_RESET_START};
use crate::cmdline::{ComputeClause, Options};
use crate::cpu_list::CpuList;
use crate::range::{Range, RangeSet};
use crate::refusal::Refusal;
use crate::size::{SizeAt, SizeText};

/// The least memory of a slice, in bytes: its header, its page tables, a small image and a large page for data.
pub const COMPUTE_BYTES_MIN: u64 = 8 << 20;

/// Where a slice may lie: its data outlive a reset of the platform.
const WINDOW: Range = Range::new(SURVIVES_RESET_START, u64::MAX);

/// A slice: cores and memory of a computation. They belong to neither primary nor backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComputeSlice {
    /// What was asked for.
    pub clause: ComputeClause,
    /// Its CPUs, rising; without those that did not answer.
    pub cpus: Vec<Cpu>,
    /// Its memory.
    pub range: Range,
}

/// Takes the CPUs of each slice out of `free`: those that answer and that nobody else was given. At least one stays.
///
/// # Errors
/// The first slice that cannot have its CPUs, and a list that it could have.
pub(super) fn take_cpus(
    options: &Options,
    machine: &Machine,
    free: &mut Vec<Cpu>,
) -> Result<Vec<Vec<Cpu>>, Refusal> {
    let mut slices: Vec<Vec<Cpu>> = Vec::new();
    for clause in &options.compute {
        if let Some(reason) = why_not_these(clause, options, machine, free) {
            let cpus = nearest_list(&clause.cpus, free);
            let other = cpus.map(|cpus| ComputeClause {
                cpus,
                ..clause.clone()
            });
            return Err(clause.refuse_for(reason, other));
        }
        let (own, rest) = free
            .iter()
            .partition(|cpu| clause.cpus.contains(cpu.number));
        *free = rest;
        slices.push(own);
    }
    Ok(slices)
}

/// Says why a slice cannot have its CPUs, if it cannot.
fn why_not_these(
    clause: &ComputeClause,
    options: &Options,
    machine: &Machine,
    free: &[Cpu],
) -> Option<String> {
    let count = machine.cpus.len();
    let wrong = |number: u32| {
        if number as usize >= count {
            return Some(format!("the machine has {count} CPUs, 0 to {}", count - 1));
        }
        if number as usize >= MAX_CORES {
            return Some(format!(
                "CPU {number} takes no part: only the first {MAX_CORES} of {count} do"
            ));
        }
        if number == 0 {
            return Some("CPU 0 is the seat, on which the monitor stays".into());
        }
        if options.failover_cpus.contains(number) {
            return Some(format!("CPU {number} is the backup's (failover_cpus=)"));
        }
        let mut before = options
            .compute
            .iter()
            .take_while(|it| it.name != clause.name);
        let owner = before.find(|it| it.cpus.contains(number))?;
        Some(format!(
            "CPU {number} is that of the slice `{}`",
            owner.name
        ))
    };
    let is_all = || free.iter().all(|cpu| clause.cpus.contains(cpu.number));
    let nothing_left = || is_all().then(|| "no CPU is left to the primary".into());
    clause.cpus.iter().find_map(wrong).or_else(nothing_left)
}

/// Returns the nearest list that leaves a CPU to the primary; `None` if there is none.
fn nearest_list(list: &CpuList, free: &[Cpu]) -> Option<CpuList> {
    let free = || free.iter().map(|cpu| cpu.number);
    let spare = free().count().checked_sub(1).filter(|spare| *spare > 0)?;
    let kept: CpuList = free().filter(|it| list.contains(*it)).take(spare).collect();
    Some(match kept.is_empty() {
        true => free().take(1).collect(),
        false => kept,
    })
}

/// Places the memory of the slices. Those with an address come first, then, by `place`, shared region and backup, then
/// the slices without an address: so one more slice moves neither the journal nor the backup.
///
/// # Errors
/// The first slice that does not fit, and a size or a place that does.
pub(super) fn place_memory(
    options: &Options,
    machine: &Machine,
    free: &RangeSet,
    first: Placement,
    place: impl Fn(&RangeSet) -> Option<Placement>,
) -> Result<(Placement, Vec<Range>), Refusal> {
    let mut planner = SlicePlanner {
        machine,
        free: free.clone(),
        placement: first,
        place,
    };
    let mut ranges: Vec<Range> = Vec::new();
    ranges.resize_with(options.compute.len(), Range::default);
    for (clause, range) in options.compute.iter().zip(&mut ranges) {
        check_least(clause)?;
        if clause.mem.address.is_some() {
            *range = planner.take_fixed(clause)?;
        }
    }
    for (clause, range) in options.compute.iter().zip(&mut ranges) {
        if clause.mem.address.is_none() {
            *range = planner.take_anywhere(clause)?;
        }
    }
    Ok((planner.placement, ranges))
}

fn check_least(clause: &ComputeClause) -> Result<(), Refusal> {
    if clause.mem.size_bytes >= COMPUTE_BYTES_MIN {
        return Ok(());
    }
    let reason = format!("a slice takes at least {}", SizeText(COMPUTE_BYTES_MIN));
    Err(clause.refuse_for(
        reason,
        Some(with_memory(clause, COMPUTE_BYTES_MIN, clause.mem.address)),
    ))
}

fn with_memory(clause: &ComputeClause, size_bytes: u64, address: Option<u64>) -> ComputeClause {
    ComputeClause {
        mem: SizeAt {
            size_bytes,
            address,
        },
        ..clause.clone()
    }
}

/// What is left while slices are placed.
struct SlicePlanner<'a, F> {
    machine: &'a Machine,
    /// Without the slices that have an address.
    free: RangeSet,
    /// Where shared region and backup go, and what is left then.
    placement: Placement,
    place: F,
}

impl<F: Fn(&RangeSet) -> Option<Placement>> SlicePlanner<'_, F> {
    fn take_fixed(&mut self, clause: &ComputeClause) -> Result<Range, Refusal> {
        let address = clause.mem.address.unwrap_or_default();
        if let Some((range, placement)) = self.place_fixed(clause.mem.size_bytes, address) {
            self.free = self.free.without(range);
            self.placement = placement;
            return Ok(range);
        }
        let fits = |size_bytes| self.place_fixed(size_bytes, address).is_some();
        let least = COMPUTE_BYTES_MIN;
        let smaller = largest(least, self.free.total_bytes(), fits)
            .map(|size_bytes| with_memory(clause, size_bytes, Some(address)));
        let elsewhere = || {
            self.find(clause.mem.size_bytes)?;
            Some(with_memory(clause, clause.mem.size_bytes, None))
        };
        let other = smaller.or_else(elsewhere).or_else(|| self.largest(clause));
        Err(clause.refuse_for(self.why_not_there(clause, address), other))
    }

    /// Returns the range at this address, and where shared region and backup go beside it.
    fn place_fixed(&self, size_bytes: u64, address: u64) -> Option<(Range, Placement)> {
        let range = Range::sized(address, round_up(size_bytes))?;
        let is_aligned = range.align_inward(ALIGN_BYTES) == range;
        if !is_aligned || !WINDOW.contains(range) || !self.free.contains(range) {
            return None;
        }
        let placement = (self.place)(&self.free.without(range))?;
        Some((range, placement))
    }

    fn take_anywhere(&mut self, clause: &ComputeClause) -> Result<Range, Refusal> {
        let Some(range) = self.find(clause.mem.size_bytes) else {
            let reason = format!(
                "beside primary, backup and journal, no piece of memory above {} has so much room",
                SizeText(SURVIVES_RESET_START)
            );
            return Err(clause.refuse_for(reason, self.largest(clause)));
        };
        self.placement.rest = self.placement.rest.without(range);
        Ok(range)
    }

    /// Finds room: above 4 GiB if there is, because other owners need what is below.
    fn find(&self, size_bytes: u64) -> Option<Range> {
        let rest = &self.placement.rest;
        let low_bytes = self.machine.needs.primary_bytes;
        let leaves_enough = |range: &Range| has_room_for_primary(&rest.without(*range), low_bytes);
        let mut fitting: Vec<Range> = spots(rest, round_up(size_bytes), WINDOW)
            .filter(leaves_enough)
            .collect();
        fitting.sort_by_key(|range| (range.start < SHARED_END, range.start));
        fitting.first().copied()
    }

    /// Returns the clause with the most memory that there is room for; `None` if there is not even for the least.
    fn largest(&self, clause: &ComputeClause) -> Option<ComputeClause> {
        let fits = |size_bytes| self.find(size_bytes).is_some();
        let size_bytes = largest(COMPUTE_BYTES_MIN, self.free.total_bytes(), fits)?;
        Some(with_memory(clause, size_bytes, None))
    }

    fn why_not_there(&self, clause: &ComputeClause, address: u64) -> String {
        let bytes = round_up(clause.mem.size_bytes);
        let there = Range::new(address, address.saturating_add(bytes));
        if !address.is_multiple_of(ALIGN_BYTES) {
            return format!("{address:#x} is no multiple of {}", SizeText(ALIGN_BYTES));
        }
        if address < SURVIVES_RESET_START {
            let start = SURVIVES_RESET_START;
            return format!("memory below {start:#x} does not outlive a reset of the platform");
        }
        let occupied = self.machine.occupied.iter();
        if let Some((range, name)) = occupied.clone().find(|(range, _)| range.overlaps(there)) {
            return format!("the {name} is at {range}");
        }
        if !self.machine.memory_map.usable().contains(there) {
            return format!("not all of {there} is usable memory");
        }
        if !self.free.contains(there) {
            return format!("another slice has a part of {there}");
        }
        "too little memory is left in one piece for the primary, the backup or the journal".into()
    }
}
