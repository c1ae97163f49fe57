//! The machine, as the supervisor needs it.

use alloc::boxed::Box;

use arch::machine_check::Verdict;
use arch::{cpu, machine_check, reset};
use partition::InputError;
use partition::acpi::PowerOff;
use sharedmem::event::{Hex, MachineCheck, MemoryAltered};
use sharedmem::hand_off::PhysicalRange;
use sharedmem::{Control, Instance};
use supervisor::{LoadRequest, MAIN_LOOP_LOOK_NS, Platform, Source};

use crate::ap::OtherCores;
use crate::console::SerialPort;
use crate::constant::ConstantMemory;
use crate::hardware::Hardware;
use crate::images::{Images, Refusal};
use crate::qualification::Qualification;
use crate::tenants::Tenant;
use crate::{hardware_watchdog, heap, last_words, screen, start_page, timer, traps};

/// How often the start page is compared while no core is started, in ns.
const START_PAGE_NS: u64 = 100_000_000;

/// Logs what the seat's machine checks reported.
pub fn report_machine_checks() {
    while let Some((noted, lost)) = traps::MACHINE_CHECKS.take() {
        let report = noted.report;
        let check = MachineCheck {
            core: noted.core,
            bank: report.bank,
            status: Hex(report.status),
            address: Hex(report.address),
            misc: Hex(report.more),
            survived: noted.verdict == Verdict::GoOn,
            lost,
        };
        log::error!("{check}");
    }
}

/// All but the other cores.
pub struct BareMachine {
    /// Interrupt controllers and devices.
    pub hardware: Hardware,
    /// Loads instances.
    pub images: Images,
    /// The monitor's own text and tables.
    pub constant: ConstantMemory,
    /// When the start page is compared next, in ns.
    pub start_page_due_ns: u64,
    /// The port that resets the machine, and what is written there; `None` if ACPI names none.
    pub reset_port: Option<(u16, u8)>,
    /// How the machine is powered off.
    pub power_off: Result<PowerOff, InputError>,
    /// The machine's qualification, if it is not in use.
    pub qualification: Option<Box<Qualification>>,
}

impl Platform for BareMachine {
    type Cores = OtherCores;
    type Port = SerialPort;
    type Refusal = Refusal;

    fn wake_count(&self) -> u64 {
        traps::wake_count()
    }

    fn sleep(&mut self, seen: u64, most_ns: Option<u64>) {
        self.hardware.look_at_devices();
        if let Some(sleep_ns) = most_ns {
            timer::arm(sleep_ns);
        }
        cpu::wait_unless(|| traps::wake_count() != seen);
    }

    fn seize_interrupts(&mut self) {
        self.hardware.deny_dma();
        // Cores have just come through the page, and go on through it.
        start_page::restore();
        self.hardware.seize_interrupts();
    }

    fn quiet_devices(&mut self, next: Instance) -> bool {
        self.hardware.quiet_devices(next)
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

    fn idle(&mut self, control: &Control) -> bool {
        if let Some(qualification) = &mut self.qualification {
            qualification.look(control, self.hardware.dma.denied_ns());
        }
        screen::draw(control)
    }

    fn watch_main_loop(&mut self) {
        timer::arm(MAIN_LOOP_LOOK_NS);
    }

    fn check_memory(&mut self, now_ns: u64) {
        start_page::report_faults();
        report_machine_checks();
        if now_ns >= self.start_page_due_ns {
            self.start_page_due_ns = now_ns + START_PAGE_NS;
            start_page::restore();
            machine_check::look(traps::SEAT, &traps::MACHINE_CHECKS);
        }
        if let Err(altered) = self.constant.check(now_ns) {
            let altered = MemoryAltered {
                whose: "monitor".into(),
                address: Hex(altered.address),
            };
            log::error!("{altered}");
            last_words::end();
        }
    }

    fn pet_watchdog(&mut self, now_ns: u64) {
        hardware_watchdog::pet(now_ns);
    }

    fn stop_watchdog(&mut self) {
        hardware_watchdog::stop();
    }

    fn heap_bytes(&self) -> usize {
        heap::used_bytes()
    }

    fn power_off(&mut self) {
        match &self.power_off {
            // SAFETY: the primary was told to power the machine off, and nothing else is wanted of it.
            Ok(registers) => unsafe { reset::power_off(registers.ports.into_iter().flatten()) },
            Err(error) => log::error!("{error}; switch the machine off by hand"),
        }
    }

    fn reset(&mut self) -> ! {
        // SAFETY: nobody serves, and what is to be kept is in memory.
        unsafe { reset::machine(self.reset_port) }
    }
}
