//! How a function is made quiet between two primaries.

use super::capability;
use super::config::{COMMAND_BUS_MASTER, COMMAND_INTX_DISABLE, ConfigSpace, REGISTER_COMMAND};

const MSI_ENABLE: u32 = 1 << 16;
const MSIX_ENABLE: u32 = 1 << 31;

/// Makes a function quiet: it no longer writes to memory and no longer interrupts, by line or message.
/// Returns false if the function does not answer or does not obey.
pub fn quiet(space: &mut impl ConfigSpace, address: u32) -> bool {
    let command = space.read(address, REGISTER_COMMAND) & 0xffff;
    space.write(
        address,
        REGISTER_COMMAND,
        command & !COMMAND_BUS_MASTER | COMMAND_INTX_DISABLE,
    );
    for (id, enable) in [
        (capability::MSI, MSI_ENABLE),
        (capability::MSIX, MSIX_ENABLE),
    ] {
        if let Some(found) = capability::find(space, address, id) {
            space.write(address, found.offset, found.header & !enable);
        }
    }
    let command = space.read(address, REGISTER_COMMAND);
    command != u32::MAX && command & COMMAND_BUS_MASTER == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pci::fake::Fake;

    #[test]
    fn a_quiet_function_neither_writes_nor_interrupts() {
        let mut fake = Fake::default();
        fake.function(0x18, 0x02_0000, 0);
        fake.set(0x18, REGISTER_COMMAND, 0x0010_0007);
        fake.set(0x18, 0x34, 0x40);
        fake.set(0x18, 0x40, 0x8003_0011 | 0x50 << 8);
        fake.set(0x18, 0x50, 0x0081_0005);
        assert!(quiet(&mut fake, 0x18));
        let command = fake.read(0x18, REGISTER_COMMAND);
        assert_eq!(
            command & (COMMAND_BUS_MASTER | COMMAND_INTX_DISABLE),
            COMMAND_INTX_DISABLE
        );
        assert_eq!(fake.read(0x18, 0x40) & MSIX_ENABLE, 0);
        assert_eq!(fake.read(0x18, 0x50) & MSI_ENABLE, 0);
        assert!(!quiet(&mut fake, 0x20), "an absent function did not obey");
    }
}
