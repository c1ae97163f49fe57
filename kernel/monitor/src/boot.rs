//! From the boot loader's hand-off to a plan: what the machine has, what the operator wants, and how it is divided.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::fmt::Display;
use core::ptr;

use arch::clock::{self, Clock};
use arch::console::SerialConsole;
use arch::descriptors::CoreTables;
use arch::{cpu, machine_check};
use ipi::{LocalApic, Mode};
use partition::acpi::iommu::Iommus;
use partition::acpi::{AcpiInfo, ApicId, Originals};
use partition::cmdline::{ApicMode, Options};
use partition::tenant::Needs;
use partition::{BootFiles, BootInfo, Kinds, Machine, PhysicalMemory, Plan, Range, plan};
use raw_cpuid::CpuId;
use sharedmem::MAX_CORES;
use sharedmem::event::{Refused, Text};
use spin::Once;
use takeover::CoreSet;

use crate::ap::OtherCores;
use crate::facts::BootFacts;
use crate::{
    calibrate, cores, dma, early_log, hardware_watchdog, memory, screen, start_page, timer, traps,
};

/// End of the memory that the boot tables map.
const BOOT_MAP_END: u64 = 4 << 30;

/// Memory below 640 KiB in which the start page may lie; the first page is left to the firmware's vectors.
const START_PAGE_WINDOW: Range = Range::new(0x8000, 0xa_0000);

/// Why the boot stops.
pub struct BootRefusal {
    option: String,
    text: String,
}

impl BootRefusal {
    pub(crate) fn of_input(text: impl Display) -> Self {
        Self {
            option: "none".into(),
            text: text.to_string(),
        }
    }
}

impl From<partition::Refusal> for BootRefusal {
    fn from(refusal: partition::Refusal) -> Self {
        Self {
            option: refusal.option.clone(),
            text: refusal.to_string(),
        }
    }
}

impl From<partition::InputError> for BootRefusal {
    fn from(error: partition::InputError) -> Self {
        Self::of_input(error)
    }
}

struct SeatTables(UnsafeCell<CoreTables>);

// SAFETY: used by the seat alone.
unsafe impl Sync for SeatTables {}

static SEAT_TABLES: SeatTables = SeatTables(UnsafeCell::new(CoreTables::new()));
static SEAT_NUMBER: u64 = 0;
static LOCAL_APIC: Once<LocalApic> = Once::new();

/// Physical memory as the boot tables map it.
struct BootMap;

impl PhysicalMemory for BootMap {
    fn read(&self, address: u64, buffer: &mut [u8]) -> bool {
        let end = address.checked_add(buffer.len() as u64);
        if address == 0 || end.is_none_or(|end| end > BOOT_MAP_END) {
            return false;
        }
        // SAFETY: the boot tables identity-map the first 4 GiB; what is not memory there reads as something, and nobody
        // else writes yet.
        unsafe { ptr::copy(address as *const u8, buffer.as_mut_ptr(), buffer.len()) };
        true
    }
}

/// Finds out about the machine and makes the plan. Leaves the seat with its tables, traps and local APIC, and the boot
/// tables loaded.
///
/// # Errors
/// The one thing that stops the boot.
pub fn boot(magic: u32, information: u64) -> Result<(BootFacts, Plan), BootRefusal> {
    let tsc_at_boot = clock::ticks();
    let info = BootInfo::read(magic, information, &BootMap)?;
    open_screen(&info);
    let options = Options::parse(&info.command_line)?;
    let acpi = AcpiInfo::read(&info.rsdp, own_apic_id(), &BootMap)?;
    let acpi_tables = Originals::read(&info.rsdp, &BootMap)?;
    let mode = apic_mode(&options)?;
    let local_apic = take_seat(mode, acpi.local_apic_address)?;
    // SAFETY: the boot tables map as much; no kernel runs yet.
    let frequencies =
        unsafe { calibrate::frequencies(&acpi, local_apic, timer::VECTOR, BOOT_MAP_END) };
    let frequencies = frequencies.ok_or_else(|| {
        BootRefusal::of_input(
            "no time-out can be kept: neither the ACPI power-management timer nor the HPET runs, and the processor \
             does not state its clock (CPUID 15h)",
        )
    })?;
    let clock = Clock::new(frequencies.tsc_hz, tsc_at_boot);
    early_log::start(clock);
    for note in &acpi.notes {
        log::warn!("{note}; the machine boots nevertheless");
    }
    if let Err(error) = &acpi.power_off {
        log::warn!("{error}; only a first Linux can power the machine off");
    }
    let start_page = place_start_page(&info)?;
    // SAFETY: the page is free, the boot tables map it and everything of the monitor's, and no other core runs yet.
    let silent = unsafe { call_the_roll(&acpi, start_page, local_apic, clock) };
    let mut occupied = occupied(&info, start_page);
    let iommus = iommus(&acpi);
    let free = occupied
        .iter()
        .fold(info.memory_map.usable(), |free, (range, _)| {
            free.without(*range)
        });
    let map = &info.memory_map;
    // SAFETY: the boot tables are loaded, which map as much; no kernel runs yet.
    let dma = unsafe { dma::probe(&iommus, &options, map, &free, BOOT_MAP_END) };
    occupied.extend(dma.iter().map(|dma| (dma.tables, "IOMMU tables")));
    let (kinds, needs) = images(&options, &info);
    let machine = Machine {
        cpus: acpi.cpus.clone(),
        silent: silent.iter().collect(),
        cpu_notes: acpi.cpu_notes.clone(),
        memory_map: info.memory_map.clone(),
        occupied,
        kinds,
        needs,
        iommus,
    };
    let plan = plan(&options, &machine)?;
    let watchdog = hardware_watchdog::find(&options, &acpi);
    let modules = info.modules.iter();
    let facts = BootFacts {
        modules: modules.map(|it| (it.name.clone(), it.range)).collect(),
        start_page,
        command_line: info.command_line,
        memory_map: info.memory_map,
        screen: info.screen,
        acpi,
        acpi_tables,
        local_apic,
        dma,
        is_x2apic: mode == Mode::X2Apic,
        frequencies,
        tsc_at_boot,
        functions: Vec::new(),
        sized_functions: Vec::new(),
        watchdog,
        roots: Vec::new(),
    };
    Ok((facts, plan))
}

/// Returns the IOMMUs. What is said of them and cannot be used is named, and there are none then.
fn iommus(acpi: &AcpiInfo) -> Iommus {
    acpi.iommus.clone().unwrap_or_else(|error| {
        log::error!("{error}; the machine is used as one without an IOMMU");
        Iommus::default()
    })
}

/// Opens the screen, if the boot tables map it. Above 4 GiB it is opened with the monitor's own tables.
fn open_screen(info: &BootInfo) {
    if let Ok(framebuffer) = &info.screen
        && framebuffer.range().end <= BOOT_MAP_END
    {
        // SAFETY: identity mapped until the monitor's own tables are loaded, when it is closed; no tenant runs.
        unsafe { screen::open(framebuffer, framebuffer.address as *mut u8) };
    }
}

/// Calls each core that the firmware lists, as far as there is room for it. Returns those that do not answer.
///
/// # Safety
/// As for [`cores::prepare`]; no other core runs.
unsafe fn call_the_roll(
    acpi: &AcpiInfo,
    start_page: u64,
    local_apic: &'static LocalApic,
    clock: Clock,
) -> CoreSet {
    // SAFETY: by the caller's promise; the boot tables are in the image, for ever.
    unsafe { cores::prepare(start_page, cpu::page_table().as_u64(), &acpi.cpus) };
    let others = (1..acpi.cpus.len().min(MAX_CORES)).map(|number| number as u32);
    let others = CoreSet::from_cores(others).expect("there is room for these");
    supervisor::roll_call(&OtherCores { local_apic, clock }, others)
}

/// Returns the seat's descriptor tables.
pub fn seat_tables() -> *const CoreTables {
    SEAT_TABLES.0.get()
}

/// Gives the seat its own descriptor tables and traps, and brings its local APIC up.
fn take_seat(mode: Mode, registers: u64) -> Result<&'static LocalApic, BootRefusal> {
    // SAFETY: the seat's first instructions with tables of its own; the tables are static and its alone.
    unsafe {
        cpu::set_core_number(&SEAT_NUMBER);
        CoreTables::load(SEAT_TABLES.0.get());
        arch::traps::install(traps::handle);
    }
    machine_check::begin();
    // SAFETY: the MADT says where the registers are, and the boot tables map them.
    let local_apic = LOCAL_APIC.call_once(|| unsafe { LocalApic::new(mode, registers as *mut u8) });
    // SAFETY: at boot the 8259 is ours.
    unsafe { ipi::mask_legacy_pic() };
    local_apic
        .enable(traps::VECTOR_SPURIOUS)
        .map_err(BootRefusal::of_input)?;
    Ok(local_apic)
}

/// Logs why the boot stops, and stops.
pub fn refuse(refusal: &BootRefusal) -> ! {
    // If time is not known yet, it stands at 0: the message counts.
    early_log::start(Clock::new(u64::MAX, 0));
    for line in refusal.text.lines() {
        log::error!("boot refused: {line}");
    }
    let option = Text::of(&refusal.option);
    log::error!("{}", Refused { option });
    print_early();
    cpu::stop()
}

/// Prints what was logged before there was a shared region.
pub fn print_early() {
    // SAFETY: no other kernel runs.
    let mut console = unsafe { SerialConsole::take() };
    // First the screen, which does not drain the log.
    screen::draw_early(early_log::ring());
    console.flush(early_log::ring().into_iter());
}

/// Returns the APIC id of the processor this runs on: from leaf 0xB, which has 32 bits, else from leaf 1.
fn own_apic_id() -> ApicId {
    let cpuid = CpuId::new();
    let extended = cpuid
        .get_extended_topology_info()
        .and_then(|mut levels| levels.next())
        .map(|level| level.x2apic_id());
    let initial = cpuid
        .get_feature_info()
        .map(|features| u32::from(features.initial_local_apic_id()));
    ApicId(extended.or(initial).unwrap_or(0))
}

fn apic_mode(options: &Options) -> Result<Mode, BootRefusal> {
    let best = ipi::detect().map_err(BootRefusal::of_input)?;
    match (options.apic, best) {
        (ApicMode::Auto, best) => Ok(best),
        (ApicMode::Xapic, _) => Ok(Mode::XApic),
        (ApicMode::X2apic, Mode::X2Apic) => Ok(Mode::X2Apic),
        (ApicMode::X2apic, Mode::XApic) => Err(BootRefusal {
            option: "apic".into(),
            text: "apic=x2apic: this processor has no x2APIC; apic=auto would work".into(),
        }),
    }
}

/// Finds two free pages in which other cores can start.
fn place_start_page(info: &BootInfo) -> Result<u64, BootRefusal> {
    let mut free = info
        .modules
        .iter()
        .fold(info.memory_map.usable(), |free, module| {
            free.without(module.range)
        });
    free.allocate_bottom(start_page::ALL_BYTES, 4096, START_PAGE_WINDOW)
        .map(|range| range.start)
        .ok_or_else(|| {
            BootRefusal::of_input(
                "memory map: no two usable pages between 32 KiB and 640 KiB, where other cores must start",
            )
        })
}

/// Returns what is in memory already.
fn occupied(info: &BootInfo, start_page: u64) -> Vec<(Range, &'static str)> {
    let image = memory::image();
    let own = [
        (Range::new(image.start, image.end), "monitor"),
        (
            Range::new(start_page, start_page + start_page::ALL_BYTES),
            "start page",
        ),
    ];
    let modules = info
        .modules
        .iter()
        .map(|module| (module.range, "boot archive"));
    own.into_iter().chain(modules).collect()
}

/// Returns what kinds of tenant the images are, and the memory that they need.
fn images(options: &Options, info: &BootInfo) -> (Kinds, Needs) {
    let visible = info.modules.iter().map(|module| {
        let end = module.range.end.min(BOOT_MAP_END);
        let length = end.saturating_sub(module.range.start) as usize;
        // SAFETY: the boot loader's modules are in memory that the boot tables map, and nobody writes there.
        let bytes = unsafe { core::slice::from_raw_parts(module.range.start as *const u8, length) };
        (module.name.as_str(), bytes)
    });
    let files = BootFiles::new(visible).unwrap_or_default();
    (Kinds::of(options, &files), Needs::of(options, &files))
}
