//! From a plan to running instances: shared region, images, backup on the seat, primary on its cores; then the
//! supervisor.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use arch::calibration::Known;
use arch::cpu;
use arch::logger::LOGGER;
use arch::pci::ResetPolicy;
use partition::acpi::{Ecam, Register};
use partition::cmdline::{Rearm, Reset, ResetFunctions};
use partition::{Plan, Range};
use sharedmem::event::{self, Word};
use sharedmem::hand_off::PhysicalRange;
use sharedmem::{Control, Instance};
use supervisor::{LoadRequest, Policy, Port, Role, Supervisor};
use takeover::{Backup, Config, CoreSet, DetectorConfig, FenceConfig, Machine};

use crate::ap::OtherCores;
use crate::calibrate::Frequencies;
use crate::console::{MonitorConsole, SerialPort};
use crate::constant::ConstantMemory;
use crate::devices;
use crate::dma::{Dma, DmaFacts};
use crate::facts::BootFacts;
use crate::hardware::Hardware;
use crate::images::{Context, Images};
use crate::memory::MonitorSpace;
use crate::platform::BareMachine;
use crate::qualification::Qualification;
use crate::ranges::physical;
use crate::tenants::Tenant;
use crate::window::Windows;
use crate::{
    boot, compute, early_log, guest, hardware_watchdog, last_words, memory, region, screen,
    start_page, timer, traps,
};

/// Loads and starts everything, and supervises it.
pub fn run(mut facts: BootFacts, plan: Plan) -> ! {
    let plan: &'static Plan = Box::leak(Box::new(plan));
    let clock = facts.clock();
    let ecam = devices::usable_windows(&facts);
    let (space, bases) = enter_own_space(&facts, plan, &ecam);
    let needs_bar_sizes = plan.kinds.any(|it| it.needs_bar_sizes);
    // SAFETY: no other kernel runs yet; the windows were mapped at these addresses.
    let found = unsafe { devices::find(&mut facts, &ecam, &bases, needs_bar_sizes) };
    let devices = found.unwrap_or_else(|refusal| boot::refuse(&refusal));
    let facts: &'static BootFacts = Box::leak(Box::new(facts));
    let windows = Windows::new(space);
    let may_go_on = plan.options.failover_reset == Reset::Auto;
    let region = region::make(physical(plan.shared), may_go_on, clock.now_ns());
    let mut console = open_console(region.control);
    report_plan(facts, plan);
    guest::set_slice(plan.options.failover_timeout_ns / 4);
    timer::begin(facts.local_apic, facts.frequencies.apic_timer_hz);
    traps::begin(traps::TrapContext {
        clock,
        local_apic: facts.local_apic,
        region,
    });
    x86_64::instructions::interrupts::enable();

    // SAFETY: no owner runs yet; the space that is loaded maps registers and tables.
    let dma = unsafe { Dma::begin(facts.dma.as_ref(), plan, Instance::A) };
    let show = || {
        console.flush(region.control);
        while screen::draw(region.control) {}
    };
    let qualification = Qualification::begin(facts, plan, windows, &dma, region.control, show);
    let images = Images::new(Context::new(facts, plan, windows, region));
    let primary_cores: Vec<u32> = plan.primary.cpus.iter().map(|cpu| cpu.number).collect();
    let backup = load(&images, Role::Backup, &plan.successor_cores());
    let primary = load(&images, Role::Primary, &primary_cores);
    if backup.is_none() && primary.is_none() {
        log::error!("boot refused: neither image can be used");
        let option = "primary_kernel".into();
        log::error!("{}", event::Refused { option });
        console.flush(region.control);
        cpu::stop();
    }
    let constant = ConstantMemory::of_monitor(windows, plan)
        .expect("the monitor has made its page tables itself");
    let hardware = Hardware {
        io_apics: facts.io_apics().collect(),
        devices,
        control: region.control,
        reset_policy: match plan.options.reset_functions {
            ResetFunctions::Faulty => ResetPolicy::Faulty,
            ResetFunctions::All => ResetPolicy::All,
        },
        leaves_devices: qualification.is_some(),
        clock,
        dma,
    };
    let image_bytes = backup.as_ref().map(|backup| backup.fixed_bytes());
    let mut supervisor = Supervisor::new(
        machine(plan, region.control.epoch.current(), clock.now_ns()),
        region.control,
        OtherCores {
            local_apic: facts.local_apic,
            clock,
        },
        bare_machine(facts, images, hardware, constant, qualification),
        console,
        &traps::KEEPALIVE_ANSWER,
        Policy {
            rearms: plan.options.failover_rearm == Rearm::Auto,
            resets: plan.options.failover_reset == Reset::Auto,
            kinds: plan.kinds,
        },
    );
    supervisor.arm_first(backup);
    if let Some(image_bytes) = image_bytes
        && supervisor.machine().backup() == Backup::Ready
    {
        report_footprint(region.control, windows.table_bytes(), image_bytes);
    }
    if plan.kinds.any(|it| it.drives_screen) {
        // Draws the plan first.
        while screen::draw(region.control) {}
        screen::close();
    }
    for slice in compute::slices(facts, plan, windows) {
        supervisor.add_slice(slice);
    }
    supervisor
        .start_first(primary)
        .expect("the plan keeps the seat to the monitor");
    supervisor.run()
}

/// Takes the serial port, prints what was logged before, and logs into the shared region from here on.
fn open_console(control: &'static Control) -> MonitorConsole {
    last_words::remember(control);
    let mut port = SerialPort::take();
    screen::draw_early(early_log::ring());
    port.print_early(early_log::ring());
    LOGGER.use_ring(&control.monitor_log);
    MonitorConsole::new(port)
}

/// Loads what the boot line names for a role; `None` if that is refused, which is logged.
fn load(images: &Images, role: Role, cores: &[u32]) -> Option<Box<Tenant>> {
    let request = LoadRequest::at_boot(role, cores);
    images
        .load(&request)
        .map_err(|reason| images.report_refused(&request, &reason))
        .ok()
}

fn bare_machine(
    facts: &BootFacts,
    images: Images,
    hardware: Hardware,
    constant: ConstantMemory,
    qualification: Option<Box<Qualification>>,
) -> BareMachine {
    let reset_port = facts.acpi.reset.and_then(|reset| match reset.register {
        Register::Port(port) => Some((port, reset.value)),
        Register::Memory(_) => None,
    });
    BareMachine {
        hardware,
        images,
        constant,
        start_page_due_ns: 0,
        reset_port,
        power_off: facts.acpi.power_off.clone(),
        qualification,
    }
}

/// Makes the monitor's own address space, for all cores, and leaves the boot tables. Returns also where the
/// parts of configuration space are mapped.
fn enter_own_space(facts: &BootFacts, plan: &Plan, ecam: &[Ecam]) -> (MonitorSpace, Vec<u64>) {
    let local_apic = facts.acpi.local_apic_address;
    let registers: Vec<u64> = facts.io_apics().chain([local_apic]).collect();
    // SAFETY: once, with the boot tables loaded; the addresses are those of the ACPI tables and the plan; the start
    // page was prepared at boot.
    unsafe {
        let mut space = MonitorSpace::make(facts.start_page, &registers, physical(plan.shared))
            .expect("the table pool holds the monitor's own maps");
        let map = |window: &Ecam| space.map_device_memory(physical(window.range));
        let bases = ecam.iter().map(map).collect::<Result<_, _>>();
        let bases = bases.expect("the table pool holds configuration space");
        for (range, protection) in facts.dma.iter().flat_map(DmaFacts::mapped) {
            let mapped = space.map_iommu(physical(range), protection);
            mapped.expect("the table pool holds registers and tables of the IOMMUs");
        }
        if let Some(watchdog) = facts.watchdog.clone() {
            let map = |page| space.map_device_memory(page);
            hardware_watchdog::install(watchdog, &plan.options, map)
                .expect("the table pool holds the watchdog's registers");
        }
        start_page::set_page_table(space.root());
        let screen = facts.screen.as_ref().ok();
        let screen = screen.map(|it| (it, space.map_device_memory(physical(it.range()))));
        screen::close();
        space.load();
        if let Some((framebuffer, Ok(base))) = screen {
            screen::open(framebuffer, base as *mut u8);
        }
        (space, bases)
    }
}

fn report_plan(facts: &BootFacts, plan: &Plan) {
    log::info!(
        "understudy {}, {}",
        env!("CARGO_PKG_VERSION"),
        if facts.is_x2apic { "x2APIC" } else { "xAPIC" }
    );
    for line in plan.to_string().lines() {
        log::info!("plan: {line}");
    }
    match &facts.screen {
        Ok(screen) => log::info!("screen: {screen}"),
        Err(reason) => log::info!("screen: {reason}"),
    }
    if !plan.silent.is_empty() {
        let cores = plan.silent.iter().map(|cpu| cpu.number).collect();
        log::warn!("{}", event::CoresSilent { cores });
    }
    let Plan {
        primary,
        backup,
        low,
        ..
    } = plan;
    let low = low[Instance::B];
    for range in backup
        .ranges
        .iter()
        .chain((!low.is_empty()).then_some(&low))
    {
        let range = PhysicalRange {
            start: range.start,
            end: range.end,
        };
        log::info!("{}", event::BackupMemory { range });
    }
    report_clock(&facts.frequencies);
    let event = event::Plan {
        cpus: facts.acpi.cpus.len() as u32,
        primary_cores: primary.cpus.len() as u32,
        backup_bytes: backup.ranges.iter().map(Range::len).sum::<u64>(),
        tsc_hz: facts.frequencies.tsc_hz,
        apic_timer_hz: facts.frequencies.apic_timer_hz,
        x2apic: facts.is_x2apic,
        functions: facts.functions.len() as u32,
    };
    log::info!("{event}");
}

/// Reports how fast the time-stamp counter runs, where that comes from, and how wrong it may be.
fn report_clock(frequencies: &Frequencies) {
    let Known {
        frequency,
        source,
        contradicted,
    } = frequencies.tsc;
    let event = event::Clock {
        source: Word::of(source),
        tsc_hz: frequency.hz,
        error_ppm: frequency.error_ppm,
        stated_hz: contradicted.map(|it| it.hz),
    };
    log::info!("{event}");
}

/// The part of the time-out that the dead kernel's cores get to leave virtualization before INIT comes.
const NMIS_PER_TIMEOUT: u64 = 20;

fn machine(plan: &Plan, first_epoch: u64, now_ns: u64) -> Machine {
    let options = &plan.options;
    let config = Config {
        detector: DetectorConfig {
            keepalive_ns: plan.kinds.primary.keepalive_period_ns(options),
            timeout_ns: options.failover_timeout_ns,
            boot_timeout_ns: plan.kinds.primary.boot_timeout_ns(options),
        },
        fence: FenceConfig {
            // Who may be silent for the time-out may be late with an NMI by a fraction of it.
            leave_ns: options.failover_timeout_ns / NMIS_PER_TIMEOUT,
            ..FenceConfig::default()
        },
        backup_wait_ns: plan.kinds.backup.boot_timeout_ns(options),
        first_epoch,
        spare: CoreSet::from_cores(plan.successor_cores())
            .expect("the plan keeps the seat to the monitor"),
    };
    Machine::new(config, now_ns).expect("the options were checked when they were parsed")
}

/// Reports how much memory the protection takes.
fn report_footprint(control: &Control, table_bytes: u64, image_bytes: u64) {
    let report = &control.backup;
    let monitor_bytes = memory::image().len() + table_bytes;
    report.monitor_bytes.store(monitor_bytes, Ordering::Relaxed);
    report.image_bytes.store(image_bytes, Ordering::Relaxed);
    let kib = |bytes: u64| bytes.div_ceil(1024);
    let [monitor_kib, image_kib, heap_kib, state_kib] = [
        monitor_bytes,
        image_bytes,
        report.heap_bytes.load(Ordering::Relaxed),
        report.state_bytes.load(Ordering::Relaxed),
    ]
    .map(kib);
    let footprint = event::Footprint {
        monitor_kib,
        image_kib,
        heap_kib,
        state_kib,
        total_kib: monitor_kib + image_kib + heap_kib,
    };
    log::info!("{footprint}");
}
