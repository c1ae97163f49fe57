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
use sharedmem::MAX_CORES;
use sharedmem::hand_off::PhysicalRange;
use sharedmem::protection::ProtectionState;
use takeover::{Backup, BackupLoss, Config, CoreSet, DetectorConfig, Event, FenceConfig, Machine};

use crate::boot::{self, Ready};
use crate::console::{MonitorConsole, Owner};
use crate::dispatch::Dispatch;
use crate::hardware::Hardware;
use crate::loader::{Loader, Role, Source, owner_cores, physical, refuse_image};
use crate::memory::MonitorSpace;
use crate::seat::{PREPARE_POLL_NS, Rearming, Resetting, Seat};
use crate::tenant::{Tenant, Wait};
use crate::{CONTROL, cores, memory, region, traps};

/// Loads and starts everything, and keeps the seat.
pub fn run(ready: Ready) -> ! {
    let ready: &'static Ready = Box::leak(Box::new(ready));
    let clock = Clock::new(ready.frequencies.tsc_hz, ready.tsc_at_boot);
    let shared = physical(ready.plan.shared);
    let space = enter_own_space(ready, shared);
    let region = region::make(shared, ready.options.failover_reset == Reset::Auto);
    CONTROL.store(ptr::from_ref(region.control).cast_mut(), Ordering::Release);
    let mut console = MonitorConsole::take();
    console.print_early(boot::early_log());
    LOGGER.use_ring(&region.control.monitor_log);
    tell_plan(ready);
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
            1,
            Role::Backup,
            &Source::Failover,
            &owner_cores(&ready.plan),
        )
        .map_err(refuse(1, Source::Failover));
    let primary_cores: Vec<u32> = ready
        .plan
        .primary
        .cpus
        .iter()
        .map(|cpu| cpu.number)
        .collect();
    let primary = loader
        .load(0, Role::Primary, &Source::Primary, &primary_cores)
        .map_err(refuse(0, Source::Primary));
    if backup.is_err() && primary.is_err() {
        log::error!("boot refused: neither image can be used");
        log::error!("event=refused option=primary_kernel");
        console.flush(region.control);
        cpu::stop();
    }
    let mut seat = Seat {
        machine: machine(ready, region.control.epoch.current(), clock.now_ns()),
        region,
        dispatch: Dispatch::new(ready.local_apic, apic_ids(ready), clock),
        hardware: Hardware {
            io_apics: ready
                .acpi
                .io_apics
                .iter()
                .map(|io_apic| io_apic.address)
                .collect(),
            functions: ready.functions.clone(),
        },
        console,
        loader,
        backup: None,
        owner: None,
        owner_instance: 0,
        remaining: None,
        images: [0, 1].map(Source::of_boot_line),
        rearming: Rearming::new(
            ready.options.failover_rearm == Rearm::Auto && !ready.plan.kinds.has_linux(),
        ),
        resetting: Resetting::new(ready.options.failover_reset),
    };
    arm(&mut seat, backup);
    start_primary(&mut seat, primary);
    seat.keep()
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

fn tell_plan(ready: &Ready) {
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

/// Gets the backup ready before the primary starts: so that a native one sees the journal from its beginning, and a Linux one can be lent a core.
fn arm(seat: &mut Seat, loaded: Result<Box<dyn Tenant>, ()>) {
    let Ok(backup) = loaded else {
        return seat.lose_backup(BackupLoss::ImageRefused);
    };
    let image_bytes = backup.fixed_bytes();
    seat.set_backup(backup);
    while seat.machine.backup() == Backup::Loading {
        let seen = traps::wake_count();
        let wait = seat.prepare_backup();
        seat.console.pump(seat.region.control);
        let is_filling = seat.region.control.protection.state() == ProtectionState::Filling;
        match wait {
            Wait::More => {}
            // What was left in memory does not make the whole state: the primary has to tell it.
            Wait::Idle if is_filling => break,
            Wait::Idle if seat.machine.backup() == Backup::Loading => {
                seat.doze(seen, PREPARE_POLL_NS);
            }
            Wait::Idle => {}
        }
    }
    if seat.machine.backup() == Backup::Ready {
        tell_footprint(seat, image_bytes);
    }
}

fn tell_footprint(seat: &mut Seat, image_bytes: u64) {
    let report = &seat.region.control.backup;
    let monitor_bytes = memory::image().len() + seat.loader.space().table_bytes();
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

/// Starts the primary on its first core; the others follow when it has shown that it lives.
fn start_primary(seat: &mut Seat, loaded: Result<Box<dyn Tenant>, ()>) {
    seat.console.flush(seat.region.control);
    let Ok(primary) = loaded else {
        seat.step(seat.now_ns(), Event::PrimaryRefused);
        return;
    };
    let lead = primary.cores()[0];
    let cores = CoreSet::from_cores(primary.cores().iter().copied())
        .expect("the plan keeps the seat to the monitor");
    seat.console.give_to(seat.region.control, Owner::Nobody);
    let order = primary.start();
    seat.set_owner(primary, lead);
    seat.dispatch.start(lead, order);
    seat.step(seat.now_ns(), Event::PrimaryStarted { cores });
}
