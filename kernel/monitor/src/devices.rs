//! The PCI functions of the machine, and the way to their configuration space.

use alloc::vec::Vec;

use arch::pci::{BusRange, EcamWindow, FUNCTIONS_MAX, MachineConfigSpace, Tree, bars};
use partition::acpi::Ecam;
use partition::{MemoryMap, Range};
use sharedmem::hand_off::PciFunction;
use sharedmem::linux::{LinuxFunction, PciRoot, ROOTS_MAX};

use crate::boot::BootRefusal;
use crate::facts::BootFacts;

/// The machine's PCI functions.
pub struct Devices {
    /// Configuration space.
    pub space: MachineConfigSpace,
    /// The functions.
    pub tree: Tree,
}

/// Returns the parts of the MCFG that are used. Configuration space that lies where memory is, is a fault of the
/// firmware, and what an access would do, nobody knows. Without a part, the ports reach segment 0.
pub fn usable_windows(facts: &BootFacts) -> Vec<Ecam> {
    let windows = match &facts.acpi.ecam {
        Ok(windows) => windows.as_slice(),
        Err(error) => {
            log::warn!("{error}; PCI configuration space is used by its ports");
            &[]
        }
    };
    let is_usable = |window: &&Ecam| {
        let is_clear = is_clear(&facts.memory_map, window.range);
        if !is_clear {
            log::warn!(
                "MCFG: segment {} lies in memory; it is not used",
                window.segment
            );
        }
        is_clear
    };
    windows.iter().filter(is_usable).copied().collect()
}

fn is_clear(map: &MemoryMap, range: Range) -> bool {
    let usable = map.usable();
    let mut usable = usable.as_slice().iter();
    !usable.any(|memory| memory.overlaps(range))
}

/// Finds all functions, and notes them in the facts.
///
/// # Errors
/// When the machine has more functions or roots than there is room for.
///
/// # Safety
/// At boot, when no kernel uses devices. The windows are mapped at `bases`.
pub unsafe fn find(
    facts: &mut BootFacts,
    windows: &[Ecam],
    bases: &[u64],
    needs_bar_sizes: bool,
) -> Result<Devices, BootRefusal> {
    let mapped = windows.iter().zip(bases).map(|(window, base)| {
        let buses = BusRange {
            segment: window.segment,
            first: window.first_bus,
            last: window.last_bus,
        };
        EcamWindow::new(buses, *base)
    });
    // SAFETY: by the caller's promise; later, the monitor uses it only while no primary runs.
    let mut space = unsafe { MachineConfigSpace::new(mapped.collect()) };
    let buses = space.buses();
    let tree = Tree::find(&mut space, buses);
    if tree.left_out() > 0 {
        return Err(BootRefusal::of_input(format_args!(
            "PCI: the machine has {} functions more than the {FUNCTIONS_MAX} that can be made quiet",
            tree.left_out()
        )));
    }
    facts.roots = roots(&tree, windows);
    if facts.roots.len() > ROOTS_MAX {
        return Err(BootRefusal::of_input(format_args!(
            "PCI: the machine has {} root buses; there is room for {ROOTS_MAX}",
            facts.roots.len()
        )));
    }
    facts.functions = tree.in_order().iter().map(|node| node.function).collect();
    if needs_bar_sizes {
        let describe = |f: &PciFunction| bars::describe(&mut space, f.address, f.id, f.class);
        let sized: Vec<LinuxFunction> = facts.functions.iter().map(describe).collect();
        facts.sized_functions = sized;
    }
    Ok(Devices { space, tree })
}

/// Describes the roots. A root has the buses up to the next one in its segment.
fn roots(tree: &Tree, windows: &[Ecam]) -> Vec<PciRoot> {
    let buses = tree.roots();
    let describe = |(index, bus): (usize, &u32)| {
        let (segment, first) = (bus >> 8, bus & 0xff);
        let next = buses[index + 1..].iter().find(|next| *next >> 8 == segment);
        let last = next.map_or(0xff, |next| (next & 0xff) - 1);
        let shows = |window: &&Ecam| {
            u32::from(window.segment) == segment
                && u32::from(window.first_bus) <= first
                && last.min(tree.last_bus(*bus)) <= u32::from(window.last_bus)
        };
        let window = windows.iter().find(shows);
        PciRoot {
            segment,
            first_bus: first,
            last_bus: window.map_or(last, |window| last.min(window.last_bus.into())),
            reserved: 0,
            ecam: window.map_or(0, |window| {
                window.range.start + (u64::from(first) - u64::from(window.first_bus)) * (1 << 20)
            }),
        }
    };
    buses.iter().enumerate().map(describe).collect()
}
