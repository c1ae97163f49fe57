//! MSI-X, as far as configuration space tells of it (PCI 3.0, 6.8.2). The table itself is
//! `ipi::MsixTable`'s.

use super::capability::{self, Capability};
use super::config::ConfigSpace;

const ENABLE: u32 = 1 << 31;
const MASK_FUNCTION: u32 = 1 << 30;

/// The MSI-X capability of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Msix {
    /// Number of the base address register behind which the table lies.
    pub bar: u8,
    /// Byte offset of the table there.
    pub offset: u32,
    /// Number of entries of the table.
    pub entry_count: u16,
    capability: Capability,
}

impl Msix {
    /// Finds the capability of the function at `address`.
    pub fn find(space: &mut impl ConfigSpace, address: u32) -> Option<Self> {
        let capability = capability::find(space, address, capability::MSIX)?;
        let table = capability.read(space, address, 1);
        Some(Self {
            bar: (table & 7) as u8,
            offset: table & !7,
            entry_count: (capability.header >> 16 & 0x7ff) as u16 + 1,
            capability,
        })
    }

    /// Switches MSI-X on; each entry of the table may send as its own mask says.
    pub fn enable(self, space: &mut impl ConfigSpace, address: u32) {
        let header = self.capability.read(space, address, 0);
        let enabled = header & !MASK_FUNCTION | ENABLE;
        space.write(address, self.capability.offset.into(), enabled);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pci::config::{REGISTER_COMMAND, STATUS_CAPABILITIES};
    use crate::pci::fake::Fake;

    #[test]
    fn the_table_is_found_and_switched_on() {
        let mut fake = Fake::default();
        fake.function(0x18, 0x02_0000, 0);
        assert_eq!(Msix::find(&mut fake, 0x18), None);
        fake.set(0x18, REGISTER_COMMAND, STATUS_CAPABILITIES);
        fake.set(0x18, 0x34, 0x98);
        fake.set(0x18, 0x98, MASK_FUNCTION | 0x0003_0011);
        fake.set(0x18, 0x9c, 0x2001);
        let msix = Msix::find(&mut fake, 0x18).unwrap();
        assert_eq!((msix.bar, msix.offset, msix.entry_count), (1, 0x2000, 4));
        msix.enable(&mut fake, 0x18);
        assert_eq!(fake.read(0x18, 0x98), ENABLE | 0x0003_0011);
    }
}
