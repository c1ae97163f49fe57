//! PCI configuration space by ports 0xCF8/0xCFC, which both the old and the new machine type have, and a walk over the buses.

use sharedmem::hand_off::PciFunction;
use x86_64::instructions::port::Port;

/// Access to configuration space, one 32-bit register at a time.
pub trait ConfigSpace {
    /// Reads the register at byte `offset` (multiple of 4) of the function at `address`.
    fn read(&mut self, address: u32, offset: u8) -> u32;
    /// Writes it.
    fn write(&mut self, address: u32, offset: u8, value: u32);
}

/// Vendor and device.
pub const REGISTER_ID: u8 = 0x00;
/// Command (low half) and status.
pub const REGISTER_COMMAND: u8 = 0x04;
const REGISTER_CLASS: u8 = 0x08;
const REGISTER_HEADER: u8 = 0x0c;
const REGISTER_BUSES: u8 = 0x18;
const REGISTER_CAPABILITIES: u8 = 0x34;

/// Command: the function may access memory by itself.
pub const COMMAND_BUS_MASTER: u32 = 1 << 2;
/// Command: no INTx.
pub const COMMAND_INTX_DISABLE: u32 = 1 << 10;
const STATUS_CAPABILITIES: u32 = 1 << 20;
const CAPABILITY_MSI: u32 = 0x05;
const CAPABILITY_VENDOR: u32 = 0x09;
const CAPABILITY_MSIX: u32 = 0x11;
const MSI_ENABLE: u32 = 1 << 16;
const MSIX_ENABLE: u32 = 1 << 31;
const CLASS_BRIDGE: u32 = 0x06;
const SUBCLASS_PCI_BRIDGE: u32 = 0x04;

/// Configuration mechanism 1 (PCI Local Bus Specification 3.0, 3.2.2.3.2).
pub struct PortConfigSpace {
    address: Port<u32>,
    data: Port<u32>,
}

impl PortConfigSpace {
    /// Takes the two ports.
    ///
    /// # Safety
    /// Nobody else uses them now: a second user would come between address and data.
    pub const unsafe fn take() -> Self {
        Self {
            address: Port::new(0xcf8),
            data: Port::new(0xcfc),
        }
    }

    fn select(&mut self, address: u32, offset: u8) {
        // SAFETY: the ports are ours by `take`.
        unsafe {
            self.address
                .write(1 << 31 | address << 8 | u32::from(offset & 0xfc))
        };
    }
}

impl ConfigSpace for PortConfigSpace {
    fn read(&mut self, address: u32, offset: u8) -> u32 {
        self.select(address, offset);
        // SAFETY: as in `select`.
        unsafe { self.data.read() }
    }

    fn write(&mut self, address: u32, offset: u8, value: u32) {
        self.select(address, offset);
        // SAFETY: as in `select`.
        unsafe { self.data.write(value) };
    }
}

/// Calls `found` for every function behind bus 0. Reads only.
pub fn scan(space: &mut impl ConfigSpace, mut found: impl FnMut(PciFunction)) {
    let mut pending = [false; 256];
    let mut seen = [false; 256];
    pending[0] = true;
    // Bridges only lead to buses not seen before, so a loop in hostile bus numbers ends.
    while let Some(bus) = (0..256).find(|bus| pending[*bus] && !seen[*bus]) {
        seen[bus] = true;
        for slot in 0..32 {
            scan_slot(
                space,
                (bus as u32) << 8 | slot << 3,
                &mut pending,
                &mut found,
            );
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

/// Whether the function is a bridge: those keep bus mastering, or nothing behind them works.
pub fn is_bridge(function: &PciFunction) -> bool {
    function.class >> 24 == CLASS_BRIDGE
}

/// Makes a function quiet: it no longer writes to memory and no longer interrupts, by line or message.
/// Returns false if the function does not answer or does not obey.
pub fn quiet(space: &mut impl ConfigSpace, address: u32) -> bool {
    let command = space.read(address, REGISTER_COMMAND) & 0xffff;
    space.write(
        address,
        REGISTER_COMMAND,
        command & !COMMAND_BUS_MASTER | COMMAND_INTX_DISABLE,
    );
    for (kind, enable) in [(CAPABILITY_MSI, MSI_ENABLE), (CAPABILITY_MSIX, MSIX_ENABLE)] {
        if let Some(offset) = capability(space, address, kind) {
            let value = space.read(address, offset);
            space.write(address, offset, value & !enable);
        }
    }
    let command = space.read(address, REGISTER_COMMAND);
    command != u32::MAX && command & COMMAND_BUS_MASTER == 0
}

/// Offset of the MSI-X capability of a function, if it has one.
pub fn msix_capability(space: &mut impl ConfigSpace, address: u32) -> Option<u8> {
    capability(space, address, CAPABILITY_MSIX)
}

/// Switches MSI-X on, all vectors as the table says.
pub fn enable_msix(space: &mut impl ConfigSpace, address: u32, offset: u8) {
    let value = space.read(address, offset);
    space.write(address, offset, value & !(1 << 30) | MSIX_ENABLE);
}

/// Where the MSI-X table is: BAR number and byte offset, and how many entries it has.
pub fn msix_table(space: &mut impl ConfigSpace, address: u32, offset: u8) -> (u8, u32, u16) {
    let entries = (space.read(address, offset) >> 16 & 0x7ff) as u16 + 1;
    let table = space.read(address, offset + 4);
    ((table & 7) as u8, table & !7, entries)
}

/// Physical address in a memory BAR.
pub fn memory_bar(space: &mut impl ConfigSpace, address: u32, bar: u8) -> Option<u64> {
    let register = 0x10 + bar.min(5) * 4;
    let low = space.read(address, register);
    if low & 1 != 0 {
        return None;
    }
    let high = if low >> 1 & 3 == 2 && bar < 5 {
        space.read(address, register + 4)
    } else {
        0
    };
    Some(u64::from(high) << 32 | u64::from(low & !0xf))
}

/// Where a virtio structure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VirtioCapability {
    /// BAR number.
    pub bar: u8,
    /// Byte offset in it.
    pub offset: u32,
}

/// The first virtio structure of type `kind` (virtio 1.2, 4.1.4).
pub fn virtio_capability(
    space: &mut impl ConfigSpace,
    address: u32,
    kind: u8,
) -> Option<VirtioCapability> {
    find_capability(space, address, |space, offset, header| {
        let is_wanted = header & 0xff == CAPABILITY_VENDOR && header >> 24 == u32::from(kind);
        is_wanted.then(|| VirtioCapability {
            bar: (space.read(address, offset + 4) & 0xff) as u8,
            offset: space.read(address, offset + 8),
        })
    })
}

fn capability(space: &mut impl ConfigSpace, address: u32, kind: u32) -> Option<u8> {
    find_capability(space, address, |_, offset, header| {
        (header & 0xff == kind).then_some(offset)
    })
}

/// Walks the capability list, which is hostile: at most as many steps as it could have entries.
fn find_capability<C: ConfigSpace, T>(
    space: &mut C,
    address: u32,
    mut wanted: impl FnMut(&mut C, u8, u32) -> Option<T>,
) -> Option<T> {
    if space.read(address, REGISTER_COMMAND) & STATUS_CAPABILITIES == 0 {
        return None;
    }
    let mut offset = (space.read(address, REGISTER_CAPABILITIES) & 0xfc) as u8;
    for _ in 0..48 {
        if !(0x40..=0xf0).contains(&offset) {
            return None;
        }
        let header = space.read(address, offset);
        if let Some(found) = wanted(space, offset, header) {
            return Some(found);
        }
        offset = (header >> 8 & 0xfc) as u8;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::vec::Vec;

    /// Configuration space as a map; absent functions read as all ones.
    #[derive(Default)]
    struct Fake(HashMap<(u32, u8), u32>);

    impl Fake {
        fn function(&mut self, address: u32, class: u32, header: u32) {
            for offset in (0..=0xfc).step_by(4) {
                self.0.insert((address, offset), 0);
            }
            self.0.insert((address, REGISTER_ID), 0x1041_1af4);
            self.0.insert((address, REGISTER_CLASS), class << 8);
            self.0.insert((address, REGISTER_HEADER), header << 16);
        }
    }

    impl ConfigSpace for Fake {
        fn read(&mut self, address: u32, offset: u8) -> u32 {
            self.0.get(&(address, offset)).copied().unwrap_or(u32::MAX)
        }
        fn write(&mut self, address: u32, offset: u8, value: u32) {
            // The status half of the command register is cleared by ones and kept by zeros.
            let kept = if offset == REGISTER_COMMAND {
                0xffff_0000 & !value
            } else {
                0
            };
            if let Some(word) = self.0.get_mut(&(address, offset)) {
                *word = *word & kept
                    | value
                        & !(if offset == REGISTER_COMMAND {
                            0xffff_0000
                        } else {
                            0
                        });
            }
        }
    }

    fn addresses(fake: &mut Fake) -> Vec<u32> {
        let mut all = Vec::new();
        scan(fake, |function| all.push(function.address));
        all
    }

    #[test]
    fn finds_functions_behind_bridges_and_survives_a_loop_of_them() {
        let mut fake = Fake::default();
        fake.function(0x08, 0x02_0000, 0x80);
        fake.function(0x0b, 0x01_0000, 0);
        fake.function(0x10, 0x06_0400, 1);
        fake.0.insert((0x10, REGISTER_BUSES), 2 << 8);
        fake.function(2 << 8, 0x06_0400, 1);
        fake.0.insert((2 << 8, REGISTER_BUSES), 0);
        assert_eq!(addresses(&mut fake), [0x08, 0x0b, 0x10, 0x200]);
    }

    #[test]
    fn a_quiet_function_neither_writes_nor_interrupts() {
        let mut fake = Fake::default();
        fake.function(0x18, 0x02_0000, 0);
        fake.0.insert((0x18, REGISTER_COMMAND), 0x0010_0007);
        fake.0.insert((0x18, REGISTER_CAPABILITIES), 0x40);
        fake.0.insert((0x18, 0x40), 0x8003_0011 | 0x50 << 8);
        fake.0.insert((0x18, 0x50), 0x0081_0005);
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

    #[test]
    fn a_capability_list_that_loops_ends() {
        let mut fake = Fake::default();
        fake.function(0x18, 0x02_0000, 0);
        fake.0.insert((0x18, REGISTER_COMMAND), STATUS_CAPABILITIES);
        fake.0.insert((0x18, REGISTER_CAPABILITIES), 0x40);
        fake.0.insert((0x18, 0x40), 0x4009);
        assert_eq!(msix_capability(&mut fake, 0x18), None);
        assert_eq!(virtio_capability(&mut fake, 0x18, 1), None);
    }

    #[test]
    fn a_64_bit_bar_takes_two_registers() {
        let mut fake = Fake::default();
        fake.function(0x18, 0x02_0000, 0);
        fake.0.insert((0x18, 0x20), 0xfe00_000c);
        fake.0.insert((0x18, 0x24), 0x38);
        fake.0.insert((0x18, 0x14), 0xc001);
        assert_eq!(memory_bar(&mut fake, 0x18, 4), Some(0x38_fe00_0000));
        assert_eq!(memory_bar(&mut fake, 0x18, 1), None);
    }
}
