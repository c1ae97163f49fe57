//! What the monitor does to interrupt controllers and devices between two owners.

use alloc::vec::Vec;

use arch::pci::{self, PortConfigSpace};
use ipi::IoApic;
use sharedmem::hand_off::PciFunction;

/// Interrupt controllers and devices of the machine.
pub struct Hardware {
    /// Addresses of the I/O APICs' registers, identity mapped.
    pub io_apics: Vec<u64>,
    /// All PCI functions, as found at boot.
    pub functions: Vec<PciFunction>,
}

impl Hardware {
    /// Masks every pin of every I/O APIC and clears what is stuck in them. The new primary programs those it needs, to
    /// itself. Its local APICs are fresh: INIT has reset them.
    pub fn seize_interrupts(&mut self) {
        for registers in &self.io_apics {
            // SAFETY: mapped by the monitor's space; the old primary is stopped and the new one not started.
            match unsafe { IoApic::new(*registers as *mut u8) } {
                Ok(mut io_apic) => {
                    let seized = io_apic.seize();
                    if seized.stuck_cleared + seized.still_stuck > 0 {
                        log::warn!(
                            "I/O APIC: {} stuck interrupts cleared, {} not",
                            seized.stuck_cleared,
                            seized.still_stuck
                        );
                    }
                }
                // Nothing can come from a controller that is not there.
                Err(error) => log::error!("I/O APIC at {registers:#x}: {error}"),
            }
        }
    }

    /// Takes bus mastering and interrupts from every device. False if one does not obey.
    pub fn quiet_devices(&mut self) -> bool {
        // SAFETY: the old primary is stopped and the new one not started.
        let mut space = unsafe { PortConfigSpace::take() };
        let devices = self
            .functions
            .iter()
            .filter(|function| !pci::is_bridge(function));
        devices.fold(true, |all, device| {
            let is_quiet = pci::quiet(&mut space, device.address);
            if !is_quiet {
                log::error!(
                    "the PCI function {:#06x} does not stop mastering the bus",
                    device.address
                );
            }
            all && is_quiet
        })
    }
}
