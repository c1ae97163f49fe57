//! From a plan to running instances: shared region, images, backup on the seat, primary on its cores; then the seat.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ptr;
use core::sync::atomic::Ordering;

use arch::clock::Clock;
use arch::cpu;
use arch::logger::LOGGER;
use arrayvec::ArrayVec;
use partition::cmdline::{Rearm, Reset};
use partition::{Plan, Range};
use sharedmem::hand_off::PhysicalRange;
use sharedmem::{Control, Instance, MAX_CORES};
use supervisor::{Policy, Port, Role, Source, Supervisor};
use takeover::{Backup, Config, CoreSet, DetectorConfig, FenceConfig, Machine};

use crate::boot::{self, Ready};
use crate::console::{MonitorConsole, SerialPort};
use crate::hardware::Hardware;
use crate::loader::{Loader, owner_cores, physical, refuse_image};
use crate::memory::MonitorSpace;
use crate::platform::{BareMachine, OtherCores};
use crate::{CONTROL, cores, memory, region, traps};

/// Loads and starts everything, and keeps the seat.
pub fn run(ready: Ready) -> ! {
    let ready: &'static Ready = Box::leak(Box::new(ready));
    let clock = Clock::new(ready.frequencies.tsc_hz, ready.tsc_at_boot);
    let shared = physical(ready.plan.shared);
    let space = enter_own_space(ready, shared);
    let region = region::make(shared, ready.options.failover_reset == Reset::Auto);
    CONTROL.store(ptr::from_ref(region.control).cast_mut(), Ordering::Release);
    let mut port = SerialPort::take();
    port.print_early(boot::early_log());
    let mut console = MonitorConsole::new(port);
    LOGGER.use_ring(&region.control.monitor_log);
    report_plan(ready);
    traps::begin(traps::Surroundings {
        clock,
        local_apic: ready.local_apic,
        apic_timer_hz: ready.frequencies.apic_timer_hz,
        region,
    });
    x86_64::instructions::interrupts::enable();

    let mut loader = Loader::new(ready, space, region);
    let refuse =
        |instance, source| move |reason: String| refuse_image(ready, instance, &source, &reason);
    let backup = loader
        .load(
            Instance::B,
            Role::Backup,
            &Source::Failover,
            &owner_cores(&ready.plan),
        )
        .map_err(refuse(Instance::B, Source::Failover));
    let primary_cores: Vec<u32> = ready
        .plan
        .primary
        .cpus
        .iter()
        .map(|cpu| cpu.number)
        .collect();
    let primary = loader
        .load(Instance::A, Role::Primary, &Source::Primary, &primary_cores)
        .map_err(refuse(Instance::A, Source::Primary));
    if backup.is_err() && primary.is_err() {
        log::error!("boot refused: neither image can be used");
        log::error!("event=refused option=primary_kernel");
        console.flush(region.control);
        cpu::stop();
    }
    let footprint_bytes = backup.as_ref().ok().map(|backup| backup.fixed_bytes());
    let mut supervisor = Supervisor::new(
        machine(ready, region.control.epoch.current(), clock.now_ns()),
        region.control,
        OtherCores {
            local_apic: ready.local_apic,
            clock,
        },
        BareMachine {
            hardware: hardware(ready),
            loader,
        },
        console,
        &traps::KEEPALIVE_ANSWER,
        Policy {
            rearms: ready.options.failover_rearm == Rearm::Auto,
            resets: ready.options.failover_reset == Reset::Auto,
            kinds: ready.plan.kinds,
        },
    );
    supervisor.arm_first(backup.ok());
    if let Some(image_bytes) = footprint_bytes
        && supervisor.machine().backup() == Backup::Ready
    {
        report_footprint(&mut supervisor, region.control, image_bytes);
    }
    supervisor
        .start_first(primary.ok())
        .expect("the plan keeps the seat to the monitor");
    supervisor.run()
}

fn hardware(ready: &Ready) -> Hardware {
    let io_apics = ready.acpi.io_apics.iter();
    Hardware {
        io_apics: io_apics.map(|io_apic| io_apic.address).collect(),
        functions: ready.functions.clone(),
    }
}

fn apic_ids(ready: &Ready) -> ArrayVec<u32, MAX_CORES> {
    let ids = ready.acpi.cpus.iter().map(|id| id.0);
    ids.take(MAX_CORES).collect()
}

/// Makes the monitor's own address space, prepares the start page, and leaves the boot tables.
fn enter_own_space(ready: &Ready, shared: PhysicalRange) -> MonitorSpace {
    let mut registers: Vec<u64> = ready
        .acpi
        .io_apics
        .iter()
        .map(|io_apic| io_apic.address)
        .collect();
    registers.push(ready.acpi.local_apic_address);
    // SAFETY: once, with the boot tables loaded; the addresses are those of the MADT and the plan. The start page is free by the plan.
    unsafe {
        let space = MonitorSpace::make(ready.start_page, &registers, shared)
            .expect("the table pool holds the monitor's own maps");
        cores::prepare(ready.start_page, &space, &apic_ids(ready));
        space.load();
        space
    }
}

fn report_plan(ready: &Ready) {
    log::info!(
        "understudy {}, {}",
        env!("CARGO_PKG_VERSION"),
        if ready.is_x2apic { "x2APIC" } else { "xAPIC" }
    );
    for line in ready.plan.to_string().lines() {
        log::info!("plan: {line}");
    }
    let Plan {
        primary, backup, ..
    } = &ready.plan;
    log::info!(
        "event=plan cpus={} primary_cores={} backup_bytes={} tsc_hz={} apic_timer_hz={} mode={}",
        ready.acpi.cpus.len(),
        primary.cpus.len(),
        backup.ranges.iter().map(Range::len).sum::<u64>(),
        ready.frequencies.tsc_hz,
        ready.frequencies.apic_timer_hz,
        if ready.is_x2apic { "x2apic" } else { "xapic" },
    );
}

fn machine(ready: &Ready, first_epoch: u64, now_ns: u64) -> Machine {
    let options = &ready.options;
    let config = Config {
        detector: DetectorConfig {
            keepalive_ns: options.keepalive_period_ns(ready.plan.kinds.primary),
            timeout_ns: options.failover_timeout_ns,
            boot_timeout_ns: options.boot_timeout_ns(ready.plan.kinds.primary),
        },
        fence: FenceConfig::default(),
        backup_wait_ns: options.boot_timeout_ns(ready.plan.kinds.backup),
        first_epoch,
        spare: CoreSet::from_cores(owner_cores(&ready.plan))
            .expect("the plan keeps the seat to the monitor"),
    };
    Machine::new(config, now_ns).expect("the options were checked when they were parsed")
}

/// Tells how much memory the protection takes.
fn report_footprint(supervisor: &mut Supervisor<BareMachine>, control: &Control, image_bytes: u64) {
    let report = &control.backup;
    let monitor_bytes = memory::image().len() + supervisor.platform().loader.space().table_bytes();
    report.monitor_bytes.store(monitor_bytes, Ordering::Relaxed);
    report.image_bytes.store(image_bytes, Ordering::Relaxed);
    let kib = |bytes: u64| bytes.div_ceil(1024);
    let (monitor, image, heap, state) = (
        kib(monitor_bytes),
        kib(image_bytes),
        kib(report.heap_bytes.load(Ordering::Relaxed)),
        kib(report.state_bytes.load(Ordering::Relaxed)),
    );
    log::info!(
        "event=footprint monitor_kib={monitor} image_kib={image} heap_kib={heap} state_kib={state} total_kib={}",
        monitor + image + heap
    );
}
