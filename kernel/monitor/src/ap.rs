//! The other cores (application processors), as the seat's local APIC reaches them.

use arch::clock::Clock;
use ipi::{Ipi, LocalApic};
use supervisor::{ApMailboxes, Cores, Signal};

use crate::cores::{apic_id, mailboxes, start_vector};
use crate::start_page;

/// The other cores.
pub struct OtherCores {
    /// The seat's own local APIC.
    pub local_apic: &'static LocalApic,
    /// Time.
    pub clock: Clock,
}

impl Cores for OtherCores {
    fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    fn spin_until(&self, duration_ns: u64, is_done: impl Fn() -> bool) {
        self.clock.spin_until(duration_ns, is_done);
    }

    fn send(&self, cores: impl IntoIterator<Item = u32>, signal: Signal) {
        let ipi = match signal {
            Signal::Init => Ipi::Init,
            Signal::Startup => {
                start_page::restore();
                Ipi::Startup {
                    page: start_vector(),
                }
            }
            Signal::Nmi => Ipi::Nmi,
        };
        for core in cores {
            if let Some(id) = apic_id(core) {
                // A send that fails is a core that does not check in, which the fence sees.
                if let Err(error) = self.local_apic.send(id, ipi) {
                    log::error!("core {core}: {error}");
                }
            }
        }
    }

    fn mailboxes(&self) -> &ApMailboxes {
        mailboxes()
    }
}
