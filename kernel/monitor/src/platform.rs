//! The machine, as the seat asks for it.

use alloc::boxed::Box;
use alloc::string::String;

use arch::clock::Clock;
use arch::{cpu, reset};
use ipi::{Ipi, LocalApic};
use partition::acpi::Register;
use sharedmem::Instance;
use sharedmem::hand_off::PhysicalRange;
use supervisor::{ApMailboxes, Cores, Platform, Role, Signal, Source};

use crate::console::SerialPort;
use crate::hardware::Hardware;
use crate::loader::{Loader, refuse_image};
use crate::{HEAP, cores, traps};

/// An instance in its slice.
pub type Tenant = dyn supervisor::Tenant<BareMachine>;

/// The seat's means to move other cores.
pub type Dispatch = supervisor::Dispatch<OtherCores>;

/// The other cores, as the seat's local APIC reaches them.
pub struct OtherCores {
    /// The seat's own.
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

    fn send(&self, core: u32, signal: Signal) {
        let ipi = match signal {
            Signal::Init => Ipi::Init,
            Signal::Startup => Ipi::Startup {
                page: cores::start_vector(),
            },
            Signal::Nmi => Ipi::Nmi,
        };
        if let Some(id) = cores::apic_id(core) {
            // A send that fails is a core that does not check in, which the fence sees.
            if let Err(error) = self.local_apic.send(id, ipi) {
                log::error!("core {core}: {error}");
            }
        }
    }

    fn mailboxes(&self) -> &ApMailboxes {
        cores::mailboxes()
    }
}

/// All but the other cores.
pub struct BareMachine {
    /// Interrupt controllers and devices.
    pub hardware: Hardware,
    /// Loads instances.
    pub loader: Loader,
}

impl Platform for BareMachine {
    type Cores = OtherCores;
    type Port = SerialPort;

    fn wake_count(&self) -> u64 {
        traps::wake_count()
    }

    fn sleep(&mut self, seen: u64, most_ns: Option<u64>) {
        if let Some(sleep_ns) = most_ns {
            traps::arm_timer(sleep_ns);
        }
        cpu::wait_unless(|| traps::wake_count() != seen);
    }

    fn seize_interrupts(&mut self) {
        self.hardware.seize_interrupts();
    }

    fn quiet_devices(&mut self) -> bool {
        self.hardware.quiet_devices()
    }

    fn load(
        &mut self,
        instance: Instance,
        role: Role,
        source: &Source,
        cores: &[u32],
    ) -> Result<Box<Tenant>, String> {
        self.loader.load(instance, role, source, cores)
    }

    fn report_refused(&self, instance: Instance, source: &Source, reason: &str) {
        refuse_image(self.loader.ready(), instance, source, reason);
    }

    fn slot(&self, instance: Instance) -> Option<PhysicalRange> {
        self.loader.slot(instance)
    }

    fn verify_uploaded(&mut self, owner: Instance, file: PhysicalRange) -> Result<(), String> {
        self.loader.verify_uploaded(owner, file)
    }

    fn store_uploaded(
        &mut self,
        instance: Instance,
        file: PhysicalRange,
    ) -> Result<Source, String> {
        self.loader.store_uploaded(instance, file)
    }

    fn heap_bytes(&self) -> usize {
        HEAP.used_bytes()
    }

    fn reset(&mut self) -> ! {
        let register = self.loader.ready().acpi.reset;
        let port = register.and_then(|reset| match reset.register {
            Register::Port(port) => Some((port, reset.value)),
            Register::Memory(_) => None,
        });
        // SAFETY: nobody serves, and what is to be kept is in memory.
        unsafe { reset::machine(port) }
    }
}
