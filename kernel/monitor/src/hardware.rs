//! What the monitor does to interrupt controllers and devices between two owners.

use alloc::vec::Vec;

use arch::clock::Clock;
use arch::pci::{Place, Quieted, ResetPolicy};
use ipi::IoApic;
use sharedmem::Control;
use sharedmem::Instance;
use sharedmem::event::{FunctionAdded, FunctionFault, FunctionReset, FunctionsLeftOut, Word};

use crate::devices::Devices;
use crate::dma::Dma;

/// Maximum number of functions that are named one by one after a takeover; the log has no room for thousands.
const NAMED_MAX: usize = 32;

/// Interrupt controllers and devices of the machine.
pub struct Hardware {
    /// Addresses of the I/O APICs' registers, identity mapped.
    pub io_apics: Vec<u64>,
    /// All PCI functions, and the way to them.
    pub devices: Devices,
    /// Where instances read which functions they must not use.
    pub control: &'static Control,
    /// Which functions are reset.
    pub reset_policy: ResetPolicy,
    /// Whether devices are left as they are.
    pub leaves_devices: bool,
    /// The machine's time.
    pub clock: Clock,
    /// Which memory devices reach.
    pub dma: Dma,
}

impl Hardware {
    /// Lets no device reach memory, where an IOMMU can do that.
    pub fn deny_dma(&mut self) {
        self.dma.report_faults();
        self.dma.deny(|| self.clock.now_ns());
    }

    /// Names devices that try to reach memory which is not their owner's, if it is time to look.
    pub fn look_at_devices(&mut self) {
        self.dma.look(self.clock.now_ns());
    }

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

    /// Takes bus mastering and interrupts from every device, after a look for those that were plugged since boot. What
    /// does not obey is cut off, named, and withheld from the new owner. False if one still reaches memory.
    /// Where there is an IOMMU, devices reach the memory of the `next` owner from then on, and what is withheld reaches
    /// nothing.
    pub fn quiet_devices(&mut self, next: Instance) -> bool {
        if self.leaves_devices {
            self.dma.give_to(next, &[], || self.clock.now_ns());
            return true;
        }
        let Devices { space, tree } = &mut self.devices;
        let mut quieted = tree.quiet(space, self.reset_policy, || self.clock.now_ns());
        self.control.withheld.set(quieted.withheld.iter().copied());
        let barred = tree.requesters(&quieted);
        self.dma.give_to(next, &barred, || self.clock.now_ns());
        for fault in &mut quieted.faults {
            fault.is_contained |= self.dma.contains(fault.address);
        }
        report(&quieted);
        quieted.is_complete()
    }
}

/// Names what is wrong.
fn report(quieted: &Quieted) {
    for fault in quieted.faults.iter().take(NAMED_MAX) {
        let event = FunctionFault {
            function: Word::of(Place(fault.address)),
            fault: fault.kind.name().into(),
            cut_at: fault.cut_at.map(|bridge| Word::of(Place(bridge))),
            cut_by: fault.cut_by.map(|it| it.name().into()),
            contained: fault.is_contained,
        };
        log::error!("{event}");
    }
    for reset in quieted.resets.iter().take(NAMED_MAX) {
        let event = FunctionReset {
            function: Word::of(Place(reset.address)),
            took_us: reset.took_ns.map(|ns| ns / 1000),
        };
        log::info!("{event}");
    }
    for address in quieted.added.iter().take(NAMED_MAX) {
        let function = Word::of(Place(*address));
        log::warn!("{}", FunctionAdded { function });
    }
    let Quieted {
        faults,
        added,
        resets,
        ..
    } = quieted;
    let unnamed = [faults.len(), added.len(), resets.len()].map(|it| it.saturating_sub(NAMED_MAX));
    if unnamed != [0; 3] {
        let [faults, added, resets] = unnamed;
        log::error!(
            "{faults} more functions do not obey, {added} more were added, and {resets} more were reset"
        );
    }
    if quieted.left_out > 0 {
        let count = quieted.left_out;
        log::error!("{}", FunctionsLeftOut { count });
    }
}
