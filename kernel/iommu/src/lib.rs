//! The IOMMUs of the machine, which belong to the monitor: which memory devices reach, and how that changes when the
//! owner does.
//!
//! All functions of all segments are in one [`Domain`]: they reach the owner's memory, each byte at its own address,
//! and nothing else. A takeover begins with one change of the domain's top table and its invalidation, after which no
//! device reaches anything ([`Iommus::deny`]). When functions are quiet, another change gives them the new owner's
//! memory ([`Iommus::grant`]), all but those that are withheld.
//!
//! Tables lie in memory that only the monitor knows of ([`TableMemory`]); registers are behind [`Registers`]. What a
//! unit answers is hostile: every wait ends, and a unit that does not do what it is told is named.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod amd;
mod domain;
mod memory;
#[cfg(test)]
mod tests;
mod unit;
mod vtd;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Range;

pub use domain::{Domain, Format, Shape};
pub use memory::{Frames, NoFrames, PAGE_BYTES, TableMemory};
pub use unit::{Access, DmaFault, Found, Registers, Stuck};

use unit::Change;

/// A unit of either kind.
#[derive(Debug)]
pub enum Unit<R> {
    /// VT-d.
    Intel(vtd::Unit<R>),
    /// AMD-Vi.
    Amd(amd::Unit<R>),
}

impl<R: Registers> Unit<R> {
    /// Makes a unit of VT-d, in front of a segment. Reads its registers, at the first 24 bytes.
    pub fn intel(registers: R, segment: u16) -> Self {
        Self::Intel(vtd::Unit::new(registers, segment))
    }

    /// Makes a unit of AMD-Vi, in front of a segment.
    pub fn amd(registers: R, segment: u16) -> Self {
        Self::Amd(amd::Unit::new(registers, segment))
    }

    /// Returns which tables the unit understands; `None` if none that this crate makes.
    pub fn shape(&self) -> Option<Shape> {
        match self {
            Self::Intel(unit) => unit.shape(),
            Self::Amd(_) => Some(amd::SHAPE),
        }
    }

    /// Returns how many bytes of registers the unit has.
    pub fn register_bytes(&self) -> u64 {
        match self {
            Self::Intel(unit) => unit.register_bytes(),
            Self::Amd(_) => amd::REGISTER_BYTES,
        }
    }

    fn segment(&self) -> u16 {
        match self {
            Self::Intel(unit) => unit.segment(),
            Self::Amd(unit) => unit.segment(),
        }
    }

    fn prepare(&mut self, frames: &mut Frames) -> Result<(), NoFrames> {
        match self {
            Self::Intel(unit) => unit.prepare(frames),
            Self::Amd(unit) => unit.prepare(frames),
        }
    }

    fn take_over(&mut self, memory: &mut impl TableMemory, root: u64) -> Result<Found, Stuck> {
        match self {
            Self::Intel(unit) => unit.take_over(memory, root),
            Self::Amd(unit) => unit.take_over(memory, root),
        }
    }

    fn invalidate(
        &mut self,
        memory: &mut impl TableMemory,
        change: Change<'_>,
    ) -> Result<(), Stuck> {
        match self {
            Self::Intel(unit) => unit.invalidate(memory),
            Self::Amd(unit) => unit.invalidate(memory, change),
        }
    }
}

/// Returns which tables all units understand; `None` if there are none.
pub fn common_shape(shapes: impl IntoIterator<Item = Option<Shape>>) -> Option<Shape> {
    let both = |one: Option<Shape>, other: Option<Shape>| {
        let (one, other) = (one?, other?);
        let fits = one.format == other.format;
        fits.then(|| Shape {
            format: one.format,
            levels: one.levels.min(other.levels),
            page_level: one.page_level.min(other.page_level),
            is_coherent: one.is_coherent && other.is_coherent,
        })
    };
    shapes.into_iter().reduce(both).flatten()
}

/// Returns how many bytes of table memory machines with these units take at most, if each of `owners` owners has all of
/// `memory`, in `pieces` pieces more than that has.
pub fn bytes_max(
    shape: Shape,
    segments: u64,
    units: u64,
    owners: u64,
    memory: &[Range<u64>],
    pieces: u64,
) -> u64 {
    let of_segment = match shape.format {
        Format::Intel => vtd::tables::PAGES,
        Format::Amd => amd::tables::PAGES,
    };
    // A cut in the memory makes each level's tables two more at most.
    let of_owner = 1 + shape.tables_max(memory) + pieces * 2 * u64::from(shape.levels - 1);
    (segments * of_segment + units * 3 + 1 + owners * of_owner) * PAGE_BYTES
}

/// Tables of a segment.
#[derive(Debug)]
enum SegmentTables {
    Intel(vtd::tables::SegmentTables),
    Amd(amd::tables::SegmentTables),
}

impl SegmentTables {
    fn root(&self) -> u64 {
        match self {
            Self::Intel(tables) => tables.root(),
            Self::Amd(tables) => tables.root(),
        }
    }

    fn permit_all(&mut self, memory: &mut impl TableMemory) {
        match self {
            Self::Intel(tables) => tables.permit_all(memory),
            Self::Amd(tables) => tables.permit_all(memory),
        }
    }

    fn withhold(&mut self, memory: &mut impl TableMemory, id: u16) {
        match self {
            Self::Intel(tables) => tables.withhold(memory, id),
            Self::Amd(tables) => tables.withhold(memory, id),
        }
    }
}

/// A unit that did not do what it was told: its number, and the step.
pub type UnitStuck = (usize, Stuck);

/// All IOMMUs of the machine.
#[derive(Debug)]
pub struct Iommus<R, M> {
    memory: M,
    domain: Domain,
    segments: BTreeMap<u16, SegmentTables>,
    units: Vec<Unit<R>>,
    /// Functions that reach nothing, with their segments in bits 31..16.
    withheld: Vec<u32>,
}

impl<R: Registers, M: TableMemory> Iommus<R, M> {
    /// Makes all tables, in `frames`. Devices are to reach nothing; no unit is told anything yet. `shape` is what all
    /// units understand.
    ///
    /// # Errors
    /// `frames` are too few.
    pub fn new(
        mut memory: M,
        mut frames: Frames,
        shape: Shape,
        mut units: Vec<Unit<R>>,
        owners: &[Vec<Range<u64>>],
    ) -> Result<Self, NoFrames> {
        let mut segments = BTreeMap::new();
        let domain = Domain::new(&mut memory, &mut frames, shape, owners)?;
        for unit in &mut units {
            unit.prepare(&mut frames)?;
            if segments.contains_key(&unit.segment()) {
                continue;
            }
            let tables = match shape.format {
                Format::Intel => SegmentTables::Intel(vtd::tables::SegmentTables::new(
                    &mut memory,
                    &mut frames,
                    &domain,
                )?),
                Format::Amd => SegmentTables::Amd(amd::tables::SegmentTables::new(
                    &mut memory,
                    &mut frames,
                    &domain,
                )?),
            };
            segments.insert(unit.segment(), tables);
        }
        Ok(Self {
            memory,
            domain,
            segments,
            units,
            withheld: Vec::new(),
        })
    }

    /// Returns whether there is a unit in front of the function.
    pub fn covers(&self, function: u32) -> bool {
        self.segments.contains_key(&((function >> 16) as u16))
    }

    /// Takes each unit from whoever used it before: firmware, or a kernel that is dead. It translates from then on, by
    /// the tables here. Returns what each was doing, or which step it did not take.
    pub fn take_over(&mut self) -> Vec<Result<Found, Stuck>> {
        let memory = &mut self.memory;
        let segments = &self.segments;
        let take = |unit: &mut Unit<R>| {
            let root = segments[&unit.segment()].root();
            unit.take_over(memory, root)
        };
        self.units.iter_mut().map(take).collect()
    }

    /// Lets no device reach anything. When it returns, no access is under way.
    ///
    /// # Errors
    /// The units that may still let devices through.
    pub fn deny(&mut self) -> Result<(), Vec<UnitStuck>> {
        self.domain.deny(&mut self.memory);
        self.invalidate(&[])
    }

    /// Lets devices reach the memory of `owner` and no other; those of `withheld` reach nothing. Functions are given as
    /// in [`DmaFault::function`].
    ///
    /// # Errors
    /// The units that may let devices reach something else, or not enough.
    pub fn grant(&mut self, owner: usize, withheld: &[u32]) -> Result<(), Vec<UnitStuck>> {
        let mut changed = core::mem::take(&mut self.withheld);
        for tables in self.segments.values_mut() {
            tables.permit_all(&mut self.memory);
        }
        for function in withheld {
            let (segment, id) = ((function >> 16) as u16, *function as u16);
            if let Some(tables) = self.segments.get_mut(&segment) {
                tables.withhold(&mut self.memory, id);
            }
        }
        self.withheld = withheld.to_vec();
        changed.extend(withheld);
        self.domain.grant(&mut self.memory, owner);
        self.invalidate(&changed)
    }

    fn invalidate(&mut self, changed: &[u32]) -> Result<(), Vec<UnitStuck>> {
        let mut stuck = Vec::new();
        for (number, unit) in self.units.iter_mut().enumerate() {
            let segment = u32::from(unit.segment());
            let ids = changed.iter().filter(|it| **it >> 16 == segment);
            let ids: Vec<u16> = ids.map(|it| *it as u16).collect();
            let change = match ids.is_empty() {
                true => Change::Pages,
                false => Change::Functions(&ids),
            };
            if let Err(error) = unit.invalidate(&mut self.memory, change) {
                stuck.push((number, error));
            }
        }
        match stuck.is_empty() {
            true => Ok(()),
            false => Err(stuck),
        }
    }

    /// Returns the accesses that were stopped since the last call, and whether there were more than units can note.
    pub fn take_faults(&mut self) -> (Vec<DmaFault>, bool) {
        let mut all = (Vec::new(), false);
        for unit in &mut self.units {
            let (faults, has_more) = match unit {
                Unit::Intel(unit) => unit.take_faults(),
                Unit::Amd(unit) => unit.take_faults(&mut self.memory),
            };
            all.0.extend(faults);
            all.1 |= has_more;
        }
        all
    }
}
