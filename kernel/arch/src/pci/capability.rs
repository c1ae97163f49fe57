//! The lists of a function's capabilities (PCI 3.0, 6.7; PCI Express 5.0, 7.6.3).

use super::config::{ConfigSpace, REGISTER_COMMAND, STATUS_CAPABILITIES};

const REGISTER_CAPABILITIES: u16 = 0x34;

/// Power management.
pub const POWER: u8 = 0x01;
/// Messages instead of interrupt lines.
pub const MSI: u8 = 0x05;
/// A structure of the vendor's own.
pub const VENDOR: u8 = 0x09;
/// PCI Express.
pub const EXPRESS: u8 = 0x10;
/// Messages by a table in memory.
pub const MSIX: u8 = 0x11;

/// What conventional PCI has of PCI Express.
pub const ADVANCED: u8 = 0x13;

/// More capabilities than configuration space has room for.
const CAPABILITIES_MAX: usize = 48;

/// Extended: alternative routing ID interpretation, which lets a device have 256 functions.
pub const EXTENDED_ARI: u16 = 0x0e;
/// Extended: single root I/O virtualization.
pub const EXTENDED_SR_IOV: u16 = 0x10;

const EXTENDED_FIRST: u16 = 0x100;
/// More extended capabilities than there is room for.
const EXTENDED_MAX: usize = 480;

/// A capability of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    /// Where it lies in configuration space.
    pub offset: u8,
    /// Its first register: the ID, the next capability's offset, and two bytes of its own.
    pub header: u32,
}

impl Capability {
    /// Returns what kind it is.
    pub fn id(self) -> u8 {
        self.header as u8
    }

    /// Returns the register `word` registers behind the first.
    pub fn read(self, space: &mut impl ConfigSpace, address: u32, word: u8) -> u32 {
        space.read(address, u16::from(self.offset.saturating_add(word * 4)))
    }
}

/// Returns the first capability of kind `id`.
pub fn find(space: &mut impl ConfigSpace, address: u32, id: u8) -> Option<Capability> {
    find_map(space, address, |_, capability| {
        (capability.id() == id).then_some(capability)
    })
}

/// Calls `wanted` for each capability until it returns something, and returns that.
///
/// The list is hostile: the walk ends after as many capabilities as there can be, even if the list loops.
pub fn find_map<C: ConfigSpace, T>(
    space: &mut C,
    address: u32,
    mut wanted: impl FnMut(&mut C, Capability) -> Option<T>,
) -> Option<T> {
    if space.read(address, REGISTER_COMMAND) & STATUS_CAPABILITIES == 0 {
        return None;
    }
    let mut offset = (space.read(address, REGISTER_CAPABILITIES) & 0xfc) as u8;
    for _ in 0..CAPABILITIES_MAX {
        if !(0x40..=0xf0).contains(&offset) {
            return None;
        }
        let header = space.read(address, offset.into());
        if let Some(found) = wanted(space, Capability { offset, header }) {
            return Some(found);
        }
        offset = (header >> 8 & 0xfc) as u8;
    }
    None
}

/// Calls `found` with the identity and the offset of each extended capability. The walk ends even if the list loops.
pub fn extended(space: &mut impl ConfigSpace, address: u32, mut found: impl FnMut(u16, u16)) {
    let mut offset = EXTENDED_FIRST;
    for _ in 0..EXTENDED_MAX {
        let header = space.read(address, offset);
        if matches!(header, 0 | u32::MAX) {
            return;
        }
        found(header as u16, offset);
        offset = (header >> 20 & 0xffc) as u16;
        if offset < EXTENDED_FIRST {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pci::fake::Fake;

    #[test]
    fn a_list_that_loops_ends() {
        let mut fake = Fake::default();
        fake.function(0x18, 0x02_0000, 0);
        fake.set(0x18, REGISTER_COMMAND, STATUS_CAPABILITIES);
        fake.set(0x18, REGISTER_CAPABILITIES, 0x40);
        fake.set(0x18, 0x40, 0x4009);
        assert_eq!(find(&mut fake, 0x18, MSIX), None);
        let mut visits = 0;
        let found = find_map(&mut fake, 0x18, |_, capability| {
            assert_eq!((capability.offset, capability.id()), (0x40, VENDOR));
            visits += 1;
            None::<()>
        });
        assert_eq!((found, visits), (None, CAPABILITIES_MAX));
    }

    #[test]
    fn an_extended_list_that_loops_ends() {
        let mut fake = Fake::default();
        fake.function(0x18, 0x02_0000, 0);
        fake.set(0x18, 0x100, 0x1001_000e);
        let mut visits = 0;
        extended(&mut fake, 0x18, |id, offset| {
            assert_eq!((id, offset), (EXTENDED_ARI, 0x100));
            visits += 1;
        });
        assert_eq!(visits, EXTENDED_MAX);
        extended(&mut fake, 0x20, |_, _| {
            panic!("an absent function has none")
        });
    }
}
