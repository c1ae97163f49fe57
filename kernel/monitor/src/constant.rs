//! Memory that must not change while the monitor runs, or while a backup waits.

use alloc::vec::Vec;

use arch::descriptors::CoreTables;
use arch::traps;
use integrity::{Altered, Memory, Page, Piece, Sweep, WalkError, constant_pieces};
use partition::Plan;
use sharedmem::hand_off::PhysicalRange;

use crate::window::Windows;
use crate::{boot, memory, start_page};

/// A page is compared within this time, so one more page per time-out of this length may be compared in one go.
const PAGE_NS: u64 = 640_000;

/// Returns how many pages are compared in one go: that takes a hundredth of the time-out.
fn pages_max(plan: &Plan) -> usize {
    (plan.options.failover_timeout_ns / PAGE_NS).clamp(1, 1024) as usize
}

/// Memory that must not change, and how far it was compared.
pub struct ConstantMemory {
    sweep: Sweep,
    windows: Windows,
    owned: Vec<PhysicalRange>,
    pages_max: usize,
}

impl ConstantMemory {
    /// Learns the monitor's own: text, constants, page tables, interrupt table, TSS and GDT of the seat.
    ///
    /// # Errors
    /// The page tables cannot be right.
    pub fn of_monitor(windows: Windows, plan: &Plan) -> Result<Self, WalkError> {
        let owned = [memory::image()];
        let mut view = View {
            windows,
            owned: &owned,
        };
        let mut pieces = constant_pieces(&mut view, windows.root(), memory::CONSTANT_ENTRIES)?;
        pieces.extend(Piece::of_bytes(start_page::image()));
        pieces.extend(Piece::of_bytes(traps::table()));
        pieces.extend(Piece::of_bytes(CoreTables::constant_part(
            boot::seat_tables(),
        )));
        let mut constant = Self::new(pieces, windows, owned.to_vec(), plan);
        constant.learn();
        Ok(constant)
    }

    /// Makes the constant memory of an instance whose top page table is at `root`, as far as these `entries` of it go.
    /// It is learned by the first sweep.
    ///
    /// # Errors
    /// The page tables cannot be right.
    pub fn of_instance(
        windows: Windows,
        plan: &Plan,
        owned: Vec<PhysicalRange>,
        root: u64,
        entries: core::ops::Range<u16>,
    ) -> Result<Self, WalkError> {
        let mut view = View {
            windows,
            owned: &owned,
        };
        let pieces = constant_pieces(&mut view, root, entries)?;
        Ok(Self::new(pieces, windows, owned, plan))
    }

    fn new(pieces: Vec<Piece>, windows: Windows, owned: Vec<PhysicalRange>, plan: &Plan) -> Self {
        Self {
            sweep: Sweep::of(pieces),
            windows,
            owned,
            pages_max: pages_max(plan),
        }
    }

    /// Learns all of it now.
    pub fn learn(&mut self) {
        let mut view = View {
            windows: self.windows,
            owned: &self.owned,
        };
        self.sweep.learn(&mut view);
    }

    /// Compares as much as is due at `now_ns`.
    ///
    /// # Errors
    /// The first page that is not as it was.
    pub fn check(&mut self, now_ns: u64) -> Result<(), Altered> {
        let pages = self.sweep.due(now_ns, self.pages_max);
        let mut view = View {
            windows: self.windows,
            owned: &self.owned,
        };
        self.sweep.step(&mut view, pages)
    }

    /// Compares all page tables.
    ///
    /// # Errors
    /// The first one that is not as it was.
    pub fn check_tables(&self) -> Result<(), Altered> {
        let mut view = View {
            windows: self.windows,
            owned: &self.owned,
        };
        self.sweep.check_tables(&mut view)
    }
}

/// Physical memory through the monitor's peephole. There is one view at a time: it lives for a call.
struct View<'a> {
    windows: Windows,
    owned: &'a [PhysicalRange],
}

impl Memory for View<'_> {
    fn owns(&self, start: u64, bytes: u64) -> bool {
        let end = start.checked_add(bytes);
        let is_in =
            |range: &PhysicalRange| start >= range.start && end.is_some_and(|end| end <= range.end);
        self.owned.iter().any(is_in)
    }

    fn page(&mut self, address: u64) -> Option<&Page> {
        // SAFETY: the space is loaded; the page before was borrowed from this view, which is borrowed anew.
        let page = unsafe { self.windows.peek(address) }.ok()?;
        // SAFETY: mapped until the next call; whoever else may write there is met by atomic loads.
        Some(unsafe { &*page.cast() })
    }
}
