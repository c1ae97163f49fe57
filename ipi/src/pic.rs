//! The pair of 8259 interrupt controllers. Only their masks are used: all interrupts come by APIC.

use x86_64::instructions::port::PortWriteOnly;

/// A port of the 8259 pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PicPort {
    /// Data port of the controller that is wired to the processor.
    MasterData,
    /// Data port of the controller that is wired to the other one.
    SlaveData,
}

impl PicPort {
    /// Returns its I/O port number.
    pub const fn number(self) -> u16 {
        match self {
            PicPort::MasterData => 0x21,
            PicPort::SlaveData => 0xa1,
        }
    }
}

/// Access to the 8259 pair.
pub trait PicPorts {
    /// Writes a byte to a port.
    fn write(&mut self, port: PicPort, value: u8);
}

/// Masks every input of both controllers.
pub fn mask_pics(ports: &mut impl PicPorts) {
    ports.write(PicPort::SlaveData, 0xff);
    ports.write(PicPort::MasterData, 0xff);
}

/// Masks every input of the machine's 8259 pair. Does nothing on a machine that has none.
///
/// # Safety
/// The caller runs in ring 0, and nothing else programs the pair at the same time.
pub unsafe fn mask_legacy_pic() {
    mask_pics(&mut MachinePorts);
}

/// The machine's ports. Only [`mask_legacy_pic`] makes a value, on its caller's promise.
struct MachinePorts;

impl PicPorts for MachinePorts {
    fn write(&mut self, port: PicPort, value: u8) {
        // SAFETY: the caller of `mask_legacy_pic` promises that the 8259 pair is its own. Outside an initialisation
        // sequence, a write to a data port sets the mask.
        unsafe { PortWriteOnly::new(port.number()).write(value) }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    struct Fake(Vec<(u16, u8)>);

    impl PicPorts for Fake {
        fn write(&mut self, port: PicPort, value: u8) {
            self.0.push((port.number(), value));
        }
    }

    #[test]
    fn both_controllers_are_masked_whole() {
        let mut fake = Fake(Vec::new());
        mask_pics(&mut fake);
        assert_eq!(fake.0, [(0xa1, 0xff), (0x21, 0xff)]);
    }
}
