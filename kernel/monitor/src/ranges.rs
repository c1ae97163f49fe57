//! The plan's memory, as instances know it.

use alloc::vec::Vec;

use partition::{Plan, Range};
use sharedmem::Instance;
use sharedmem::hand_off::PhysicalRange;

/// Returns a range in the type that instances know.
pub fn physical(range: Range) -> PhysicalRange {
    PhysicalRange {
        start: range.start,
        end: range.end,
    }
}

/// Returns the memory that the plan gives to an instance.
pub fn slice(plan: &Plan, instance: Instance) -> Vec<PhysicalRange> {
    let slice = match instance {
        Instance::A => &plan.primary,
        Instance::B => &plan.backup,
    };
    slice.ranges.iter().copied().map(physical).collect()
}

/// Returns the slot in which an instance waits, if it has one.
pub fn slot(plan: &Plan, instance: Instance) -> Option<PhysicalRange> {
    match instance {
        Instance::A => plan.spare.map(physical),
        Instance::B => plan.backup.ranges.first().copied().map(physical),
    }
}
