//! The machine, as the supervisor needs it.

use alloc::boxed::Box;

use arch::{cpu, reset};
use sharedmem::event::{Hex, MemoryAltered};
use sharedmem::hand_off::PhysicalRange;
use sharedmem::{Control, Instance};
use supervisor::{LoadRequest, MAIN_LOOP_LOOK_NS, Platform, Source};

use crate::ap::OtherCores;
use crate::console::SerialPort;
use crate::constant::ConstantMemory;
use crate::hardware::Hardware;
use crate::images::{Images, Refusal};
use crate::tenants::Tenant;
use crate::{heap, last_words, screen, timer, traps};

/// All but the other cores.
pub struct BareMachine {
    /// Interrupt controllers and devices.
    pub hardware: Hardware,
    /// Loads instances.
    pub images: Images,
    /// The monitor's own text and tables.
    pub constant: ConstantMemory,
    /// The port that resets the machine, and what is written there; `None` if ACPI names none.
    pub reset_port: Option<(u16, u8)>,
}

impl Platform for BareMachine {
    type Cores = OtherCores;
    type Port = SerialPort;
    type Refusal = Refusal;

    fn wake_count(&self) -> u64 {
        traps::wake_count()
    }

    fn sleep(&mut self, seen: u64, most_ns: Option<u64>) {
        if let Some(sleep_ns) = most_ns {
            timer::arm(sleep_ns);
        }
        cpu::wait_unless(|| traps::wake_count() != seen);
    }

    fn seize_interrupts(&mut self) {
        self.hardware.seize_interrupts();
    }

    fn quiet_devices(&mut self) -> bool {
        self.hardware.quiet_devices()
    }

    fn load(&mut self, request: &LoadRequest<'_>) -> Result<Box<Tenant>, Refusal> {
        self.images.load(request)
    }

    fn report_refused(&self, request: &LoadRequest<'_>, reason: &Refusal) {
        self.images.report_refused(request, reason);
    }

    fn slot(&self, instance: Instance) -> Option<PhysicalRange> {
        self.images.slot(instance)
    }

    fn verify_uploaded(&mut self, primary: Instance, file: PhysicalRange) -> Result<(), Refusal> {
        self.images.verify_uploaded(primary, file)
    }

    fn store_uploaded(
        &mut self,
        instance: Instance,
        file: PhysicalRange,
    ) -> Result<Source, Refusal> {
        self.images.store_uploaded(instance, file)
    }

    fn draw(&mut self, control: &Control) -> bool {
        screen::draw(control)
    }

    fn watch_main_loop(&mut self) {
        timer::arm(MAIN_LOOP_LOOK_NS);
    }

    fn check_memory(&mut self, now_ns: u64) {
        if let Err(altered) = self.constant.check(now_ns) {
            let altered = MemoryAltered {
                whose: "monitor".into(),
                address: Hex(altered.address),
            };
            log::error!("{altered}");
            last_words::end();
        }
    }

    fn heap_bytes(&self) -> usize {
        heap::used_bytes()
    }

    fn reset(&mut self) -> ! {
        // SAFETY: nobody serves, and what is to be kept is in memory.
        unsafe { reset::machine(self.reset_port) }
    }
}
