//! From a plan to running instances: shared region, images, backup on the seat, primary on its cores; then the seat.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ptr;
use core::sync::atomic::Ordering;

use arch::clock::Clock;
use arch::logger::LOGGER;
use arch::paging::Protection;
use arch::{cpu, entropy};
use arrayvec::ArrayVec;
use partition::{BootFiles, Image, Plan, Range};
use sharedmem::abi::{ABI_REVISION, CONTROL_BYTES, DIRECT_BASE, EntryReason, JOURNAL_REVISION};
use sharedmem::hand_off::{
    COMMAND_LINE_MAX, HAND_OFF_MAGIC, HandOff, PCI_FUNCTIONS_MAX, PhysicalRange,
};
use sharedmem::{MAX_CORES, SharedRegion};
use takeover::{BackupLoss, Config, CoreSet, DetectorConfig, Event, FenceConfig, Machine};

use crate::boot::{self, Ready};
use crate::console::{MonitorConsole, Owner};
use crate::hardware::Hardware;
use crate::load::{self, Loaded};
use crate::memory::MonitorSpace;
use crate::seat::Seat;
use crate::tenant::{Native, Roster, Tenant};
use crate::{CONTROL, cores, memory, traps};

/// Epoch of the first primary.
const FIRST_EPOCH: u64 = 1;

/// Memory of a slice that is not the service's to fill: image, tables, network buffers.
const OVERHEAD_BYTES: u64 = 14 << 20;

/// Loads and starts everything, and keeps the seat.
pub fn run(ready: Ready) -> ! {
    let clock = Clock::new(ready.frequencies.tsc_hz, ready.tsc_at_boot);
    let shared = physical(ready.plan.shared);
    let mut space = enter_own_space(&ready, shared);
    let region = create_region(shared);
    let mut console = MonitorConsole::take();
    console.print_early(boot::early_log());
    LOGGER.use_ring(&region.control.monitor_log);
    tell_plan(&ready);
    traps::begin(traps::Surroundings {
        clock,
        local_apic: ready.local_apic,
        apic_timer_hz: ready.frequencies.apic_timer_hz,
        region,
    });
    x86_64::instructions::interrupts::enable();

    let apic_ids: ArrayVec<u32, MAX_CORES> = ready
        .acpi
        .cpus
        .iter()
        .map(|id| id.0)
        .take(MAX_CORES)
        .collect();
    let mut loader = Loader {
        ready: &ready,
        space: &mut space,
        shared,
        entropy: entropy::bits(),
    };
    let backup = loader
        .load(1)
        .map_err(|reason| refuse_image(&ready, 1, &reason));
    let primary = loader
        .load(0)
        .map_err(|reason| refuse_image(&ready, 0, &reason));
    let table_bytes = space.table_bytes();
    if backup.is_err() && primary.is_err() {
        log::error!("boot refused: neither image can be used");
        log::error!("event=refused option=primary_kernel");
        console.flush(region.control);
        cpu::stop();
    }
    let mut seat = Seat {
        machine: machine(&ready, clock.now_ns()),
        region,
        clock,
        local_apic: ready.local_apic,
        apic_ids,
        hardware: Hardware {
            io_apics: ready
                .acpi
                .io_apics
                .iter()
                .map(|io_apic| io_apic.address)
                .collect(),
            functions: ready.functions.clone(),
            owner: None,
        },
        console,
        backup: None,
        owner_instance: 0,
        remaining: None,
        monitor_bytes: memory::image().len() + table_bytes,
    };
    arm(&mut seat, backup);
    start_primary(&mut seat, primary);
    seat.keep()
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
    let apic_ids: Vec<u32> = ready
        .acpi
        .cpus
        .iter()
        .map(|id| id.0)
        .take(MAX_CORES)
        .collect();
    // SAFETY: once, with the boot tables loaded; the addresses are those of the MADT and the plan. The start page is free by the plan.
    unsafe {
        let space = MonitorSpace::make(ready.start_page, &registers, shared)
            .expect("the table pool holds the monitor's own maps");
        cores::prepare(ready.start_page, &space, &apic_ids);
        space.load();
        space
    }
}

fn create_region(shared: PhysicalRange) -> SharedRegion {
    // SAFETY: the plan gave this memory to the shared region, identity mapped; the control block begins as zeros.
    let region = unsafe {
        ptr::write_bytes(shared.start as *mut u8, 0, CONTROL_BYTES);
        SharedRegion::create(shared.start as *mut u8, shared.len(), entropy::bits())
    };
    let region = region.expect("the plan gives the journal its least size");
    region.control.epoch.reset(FIRST_EPOCH);
    CONTROL.store(ptr::from_ref(region.control).cast_mut(), Ordering::Release);
    region
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

fn machine(ready: &Ready, now_ns: u64) -> Machine {
    let options = &ready.options;
    let config = Config {
        detector: DetectorConfig {
            keepalive_ns: options.keepalive_ns,
            timeout_ns: options.failover_timeout_ns,
            boot_timeout_ns: options.failover_boot_timeout_ns,
        },
        fence: FenceConfig::default(),
        backup_wait_ns: options.failover_boot_timeout_ns,
        first_epoch: FIRST_EPOCH,
        spare: CoreSet::from_cores(owner_cores(&ready.plan))
            .expect("the plan keeps the seat to the monitor"),
    };
    Machine::new(config, now_ns).expect("the options were checked when they were parsed")
}

/// Machine numbers of the cores a promoted backup has, lowest first: the primary's, and those kept for it.
fn owner_cores(plan: &Plan) -> ArrayVec<u32, MAX_CORES> {
    let seat = plan.seat.number;
    let all = plan
        .primary
        .cpus
        .iter()
        .chain(&plan.backup.cpus)
        .map(|cpu| cpu.number);
    let mut cores: ArrayVec<u32, MAX_CORES> = all
        .filter(|number| *number != seat)
        .take(MAX_CORES)
        .collect();
    cores.sort_unstable();
    cores
}

/// Gets the backup ready on the seat, before the primary starts: so that it sees the journal from its beginning.
fn arm(seat: &mut Seat<Native>, loaded: Result<Native, ()>) {
    let Ok(mut backup) = loaded else {
        return seat.lose_backup(BackupLoss::ImageRefused);
    };
    match backup.prepare() {
        Ok(()) => {
            let report = &seat.region.control.backup;
            report
                .monitor_bytes
                .store(seat.monitor_bytes, Ordering::Relaxed);
            report
                .image_bytes
                .store(backup.roster.loaded.fixed_bytes, Ordering::Relaxed);
            let kib = |bytes: u64| bytes.div_ceil(1024);
            let (monitor, image, heap, state) = (
                kib(seat.monitor_bytes),
                kib(backup.roster.loaded.fixed_bytes),
                kib(report.heap_bytes.load(Ordering::Relaxed)),
                kib(report.state_bytes.load(Ordering::Relaxed)),
            );
            log::info!(
                "event=footprint monitor_kib={monitor} image_kib={image} heap_kib={heap} state_kib={state} total_kib={}",
                monitor + image + heap
            );
            seat.region.control.protection.arm();
            seat.backup = Some(backup);
            seat.step(seat.clock.now_ns(), Event::BackupReady);
        }
        Err(loss) => {
            seat.backup = Some(backup);
            seat.lose_backup(loss);
        }
    }
}

/// Starts the primary on its first core; the others follow when it has shown that it lives.
fn start_primary(seat: &mut Seat<Native>, loaded: Result<Native, ()>) {
    seat.console.flush(seat.region.control);
    let Ok(primary) = loaded else {
        seat.step(seat.clock.now_ns(), Event::PrimaryRefused);
        return;
    };
    let roster = primary.roster();
    seat.console.give_to(seat.region.control, Owner::Nobody);
    traps::set_owner(seat.apic_ids[roster.cores[0] as usize]);
    let cores = CoreSet::from_cores(roster.cores.iter().copied())
        .expect("the plan keeps the seat to the monitor");
    seat.start(roster.cores[0], roster.order(EntryReason::StartPrimary, 0));
    seat.hardware.owner = Some(roster);
    seat.step(seat.clock.now_ns(), Event::PrimaryStarted { cores });
}

fn refuse_image(ready: &Ready, instance: usize, reason: &str) {
    let path = path_of(ready, instance);
    log::error!(
        "event=image-refused instance={} path={path} reason=\"{}\"",
        ["a", "b"][instance],
        reason.replace('"', "'")
    );
}

fn path_of(ready: &Ready, instance: usize) -> &str {
    if instance == 0 {
        &ready.options.primary_kernel
    } else {
        &ready.options.failover_kernel
    }
}

fn physical(range: Range) -> PhysicalRange {
    PhysicalRange {
        start: range.start,
        end: range.end,
    }
}

/// Finds, checks and loads images.
struct Loader<'a> {
    ready: &'a Ready,
    space: &'a mut MonitorSpace,
    shared: PhysicalRange,
    entropy: u64,
}

impl Loader<'_> {
    /// Loads instance 0 as the primary, or instance 1 as the backup.
    fn load(&mut self, instance: usize) -> Result<Native, String> {
        let ready = self.ready;
        let modules: Vec<_> = ready
            .modules
            .iter()
            .map(|(_, range)| physical(*range))
            .collect();
        let window = PhysicalRange {
            start: modules
                .iter()
                .map(|module| module.start)
                .min()
                .ok_or("the boot loader gave no boot archive")?,
            end: modules.iter().map(|module| module.end).max().unwrap_or(0),
        };
        let slice = if instance == 0 {
            &ready.plan.primary
        } else {
            &ready.plan.backup
        };
        let ranges: Vec<_> = slice.ranges.iter().copied().map(physical).collect();
        let cores: ArrayVec<u32, MAX_CORES> = if instance == 0 {
            slice.cpus.iter().map(|cpu| cpu.number).collect()
        } else {
            owner_cores(&ready.plan)
        };
        let mut hand_off = self.hand_off(instance, &cores);
        // SAFETY: the boot archive is kept out of every slice by the plan, and nobody writes to it.
        let loaded = unsafe {
            self.space
                .with_window(window, Protection::ReadOnly, |space| {
                    let files = files(&ready.modules)?;
                    load_image(
                        space,
                        &files,
                        path_of(ready, instance),
                        &ranges,
                        ready.start_page,
                        &mut hand_off,
                    )
                })
        };
        let loaded = loaded
            .map_err(|error| alloc::format!("no page tables for the boot archive: {error:?}"))??;
        Ok(Native {
            instance,
            roster: Roster { cores, loaded },
        })
    }

    fn hand_off(&self, instance: usize, cores: &[u32]) -> HandOff {
        let ready = self.ready;
        let serial = ready.acpi.isa_interrupt(4);
        let peer = if instance == 0 {
            &ready.plan.backup
        } else {
            &ready.plan.primary
        };
        // SAFETY: the hand-off is plain numbers, for which zeros are valid.
        let mut hand_off: HandOff = unsafe { core::mem::zeroed() };
        hand_off.magic = HAND_OFF_MAGIC;
        hand_off.abi_revision = ABI_REVISION;
        hand_off.instance = instance as u32;
        hand_off.x2apic = ready.is_x2apic.into();
        hand_off.core_count = cores.len() as u32;
        for (slot, core) in hand_off.core_apic_ids.iter_mut().zip(cores) {
            *slot = ready.acpi.cpus[*core as usize].0;
        }
        hand_off.seat_apic_id = ready.acpi.cpus[0].0;
        for (index, io_apic) in ready
            .acpi
            .io_apics
            .iter()
            .take(hand_off.io_apic_addresses.len())
            .enumerate()
        {
            hand_off.io_apic_addresses[index] = io_apic.address;
            hand_off.io_apic_bases[index] = io_apic.global_interrupt_base;
            hand_off.io_apic_count = index as u32 + 1;
        }
        hand_off.serial_interrupt = serial.global_interrupt;
        hand_off.serial_interrupt_is_level = serial.level.into();
        hand_off.tsc_hz = ready.frequencies.tsc_hz;
        hand_off.tsc_at_boot = ready.tsc_at_boot;
        hand_off.apic_timer_hz = ready.frequencies.apic_timer_hz;
        hand_off.local_apic_address = ready.acpi.local_apic_address;
        hand_off.shared = self.shared;
        hand_off.peer = peer
            .ranges
            .first()
            .copied()
            .map(physical)
            .unwrap_or_default();
        hand_off.service_memory_bytes = service_memory_bytes(&ready.plan);
        hand_off.entropy = self.entropy;
        for (slot, function) in hand_off.pci_functions.iter_mut().zip(&ready.functions) {
            *slot = *function;
        }
        hand_off.pci_function_count = ready.functions.len().min(PCI_FUNCTIONS_MAX) as u32;
        let line = ready.command_line.as_bytes();
        let length = line.len().min(COMMAND_LINE_MAX);
        hand_off.command_line[..length].copy_from_slice(&line[..length]);
        hand_off.command_line_len = length as u32;
        hand_off
    }
}

/// State the service may hold: what fits into the smaller of the two slices, with a quarter left for the allocator's losses.
fn service_memory_bytes(plan: &Plan) -> u64 {
    let slices = [&plan.primary, &plan.backup];
    let smallest = slices
        .map(|slice| slice.ranges.iter().map(Range::len).sum::<u64>())
        .into_iter()
        .min()
        .unwrap_or(0);
    (smallest.saturating_sub(OVERHEAD_BYTES) / 4 * 3).max(1 << 20)
}

/// The files that the boot loader brought, as the window shows them.
///
/// # Safety
/// The window is open for as long as the files are used.
unsafe fn files(modules: &[(String, Range)]) -> Result<BootFiles<'_>, String> {
    let visible = modules.iter().map(|(name, range)| {
        // SAFETY: the caller's promise; nobody writes to the boot archive.
        let bytes = unsafe {
            core::slice::from_raw_parts(
                (DIRECT_BASE + range.start) as *const u8,
                range.len() as usize,
            )
        };
        (name.as_str(), bytes)
    });
    BootFiles::new(visible).map_err(|error| error.to_string())
}

/// Finds, checks and loads one image.
///
/// # Safety
/// As for [`load::load`].
unsafe fn load_image(
    space: &mut MonitorSpace,
    files: &BootFiles<'_>,
    path: &str,
    ranges: &[PhysicalRange],
    start_page: u64,
    hand_off: &mut HandOff,
) -> Result<Loaded, String> {
    let (image, bytes) = Image::load(files, path).map_err(|error| error.to_string())?;
    image
        .check_revisions(ABI_REVISION, JOURNAL_REVISION)
        .map_err(|error| error.to_string())?;
    log::info!(
        "{path}: version {}, {} KiB",
        image.version,
        image.size_bytes().div_ceil(1024)
    );
    // SAFETY: the caller's promise.
    unsafe { load::load(space, &image, bytes, ranges, start_page, hand_off) }
        .map_err(|error| error.to_string())
}
