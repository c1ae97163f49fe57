//! The boot archive and the other modules that the boot loader put into memory.

use arch::paging::Protection;
use partition::{BootFiles, Range};
use sharedmem::hand_off::PhysicalRange;

use super::refusal::Refusal;
use crate::facts::BootFacts;
use crate::ranges::physical;
use crate::window::{Window, Windows};

/// The boot loader's modules, visible.
pub struct BootArchive {
    facts: &'static BootFacts,
    window: Window,
}

impl BootArchive {
    /// Opens a window onto all modules.
    ///
    /// # Errors
    /// There are none, or the page tables do not suffice.
    pub fn open(facts: &'static BootFacts, windows: Windows) -> Result<Self, Refusal> {
        let modules = || facts.modules.iter().map(|(_, range)| range);
        let start = modules().map(|module| module.start).min();
        let range = PhysicalRange {
            start: start.ok_or(Refusal::NoArchive)?,
            end: modules().map(|module| module.end).max().unwrap_or(0),
        };
        // SAFETY: the plan keeps the modules out of every slice, and nobody writes to them.
        let window = unsafe { windows.open(range, Protection::ReadOnly) };
        let window = window.map_err(|error| Refusal::Window("the boot archive", error))?;
        Ok(Self { facts, window })
    }

    /// Returns the files in the modules.
    ///
    /// # Errors
    /// A module cannot be read.
    pub fn files(&self) -> Result<BootFiles<'_>, Refusal> {
        let visible = |range: &Range| self.window.part(physical(*range));
        let modules = self.facts.modules.iter();
        let files = modules.map(|(name, range)| (name.as_str(), visible(range)));
        Ok(BootFiles::new(files)?)
    }
}
