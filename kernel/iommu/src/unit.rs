//! What both kinds of unit have in common.

/// The registers of one unit.
pub trait Registers {
    /// Reads 32 bits at `offset`.
    fn read32(&mut self, offset: u64) -> u32;
    /// Reads 64 bits at `offset`.
    fn read64(&mut self, offset: u64) -> u64;
    /// Writes 32 bits at `offset`. Everything that was written to memory before is visible to the unit.
    fn write32(&mut self, offset: u64, value: u32);
    /// Writes 64 bits at `offset`. Everything that was written to memory before is visible to the unit.
    fn write64(&mut self, offset: u64, value: u64);
}

/// How often a register or a word is read until something is given up. A read of a register takes a microsecond or less
/// on hardware; no command takes longer than some ten of them.
const POLLS_MAX: u32 = 200_000;

/// A step that a unit did not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Its name.
    pub step: &'static str,
}

/// Waits until `is_done`.
///
/// # Errors
/// It does not come.
pub(crate) fn wait(step: &'static str, mut is_done: impl FnMut() -> bool) -> Result<(), Stuck> {
    for _ in 0..POLLS_MAX {
        if is_done() {
            return Ok(());
        }
        core::hint::spin_loop();
    }
    Err(Stuck { step })
}

/// What changed in tables.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change<'a> {
    /// The root: all that is known of functions and pages is void.
    Root,
    /// The entries of these functions, and pages.
    Functions(&'a [u16]),
    /// Pages only.
    Pages,
}

/// What a unit was doing when it was taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// It translated addresses.
    pub was_translating: bool,
    /// It remapped interrupts.
    pub was_remapping: bool,
    /// It had to be switched off for a moment, as its tables were in a form from which it cannot change otherwise.
    pub was_off: bool,
}

/// How memory was accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It was to be read.
    Read,
    /// It was to be written.
    Write,
}

/// An access that a unit stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DmaFault {
    /// The address of the function, with its segment in bits 31..16.
    pub function: u32,
    /// The memory, to the page.
    pub address: u64,
    /// What it was to be accessed for.
    pub access: Access,
    /// The unit's own number for the reason: of VT-d the fault reason, of AMD-Vi the event code.
    pub reason: u8,
}
