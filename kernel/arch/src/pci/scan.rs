//! The walk over the buses.

use sharedmem::hand_off::PciFunction;

use super::config::{ConfigSpace, REGISTER_CLASS, REGISTER_HEADER, REGISTER_ID};

const REGISTER_BUSES: u8 = 0x18;
const CLASS_BRIDGE: u32 = 0x06;
const SUBCLASS_PCI_BRIDGE: u32 = 0x04;

/// Calls `found` for every function on bus 0 and behind it. Reads only.
pub fn scan(space: &mut impl ConfigSpace, mut found: impl FnMut(PciFunction)) {
    let mut pending = [false; 256];
    let mut seen = [false; 256];
    pending[0] = true;
    // No bus is scanned twice, so a loop in hostile bus numbers ends.
    while let Some(bus) = (0..256).find(|bus| pending[*bus] && !seen[*bus]) {
        seen[bus] = true;
        for slot in 0..32 {
            let address = (bus as u32) << 8 | slot << 3;
            scan_slot(space, address, &mut pending, &mut found);
        }
    }
}

fn scan_slot(
    space: &mut impl ConfigSpace,
    slot: u32,
    pending: &mut [bool; 256],
    found: &mut impl FnMut(PciFunction),
) {
    let mut functions = 1;
    let mut function = 0;
    while function < functions {
        let address = slot | function;
        function += 1;
        let id = space.read(address, REGISTER_ID);
        if id & 0xffff == 0xffff || id & 0xffff == 0 {
            continue;
        }
        let class = space.read(address, REGISTER_CLASS);
        let header = space.read(address, REGISTER_HEADER) >> 16 & 0xff;
        if header & 0x80 != 0 {
            functions = 8;
        }
        if class >> 24 == CLASS_BRIDGE
            && class >> 16 & 0xff == SUBCLASS_PCI_BRIDGE
            && header & 0x7f == 1
        {
            pending[(space.read(address, REGISTER_BUSES) >> 8 & 0xff) as usize] = true;
        }
        found(PciFunction {
            address,
            id,
            class,
            reserved: 0,
        });
    }
}

/// Returns whether the function is a bridge. Bridges keep bus mastering, because nothing behind them works without.
pub fn is_bridge(function: &PciFunction) -> bool {
    function.class >> 24 == CLASS_BRIDGE
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::pci::fake::Fake;

    #[test]
    fn finds_functions_behind_bridges_and_survives_a_loop_of_them() {
        let mut fake = Fake::default();
        fake.function(0x08, 0x02_0000, 0x80);
        fake.function(0x0b, 0x01_0000, 0);
        fake.function(0x10, 0x06_0400, 1);
        fake.set(0x10, REGISTER_BUSES, 2 << 8);
        fake.function(2 << 8, 0x06_0400, 1);
        fake.set(2 << 8, REGISTER_BUSES, 0);
        let mut addresses = Vec::new();
        scan(&mut fake, |function| addresses.push(function.address));
        assert_eq!(addresses, [0x08, 0x0b, 0x10, 0x200]);
    }
}
