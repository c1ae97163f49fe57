//! Which image goes where: found in the boot archive, checked, and loaded with a hand-off that tells it what the plan gave it.

mod uploaded;

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use arch::entropy;
use arch::paging::Protection;
use arrayvec::ArrayVec;
use partition::tenant::{LINUX, NATIVE};
use partition::{BootFiles, Image, Kind, Plan, Range};
use sharedmem::abi::{ABI_REVISION, DIRECT_BASE, JOURNAL_REVISION};
use sharedmem::hand_off::{
    COMMAND_LINE_MAX, HAND_OFF_MAGIC, HandOff, PCI_FUNCTIONS_MAX, PhysicalRange, RANGES_MAX,
};
use sharedmem::linux::POOL_RANGES_MAX;
use sharedmem::{Instance, MAX_CORES, SharedRegion};
use supervisor::{Role, Source};

use crate::boot::Ready;
use crate::linux;
use crate::load;
use crate::memory::MonitorSpace;
use crate::native::Native;
use crate::platform::Tenant;

/// Memory of a slice that is not the service's to fill: image, tables, network buffers.
const OVERHEAD_BYTES: u64 = 14 << 20;

// The plan knows nobody, and so states its own limits.
const _: () = assert!(partition::plan::CPUS_MAX == MAX_CORES);
const _: () = assert!(partition::plan::RANGES_MAX == RANGES_MAX && RANGES_MAX == POOL_RANGES_MAX);

/// Machine numbers of the cores a promoted backup has, lowest first: the primary's, and those kept for it.
pub fn owner_cores(plan: &Plan) -> ArrayVec<u32, MAX_CORES> {
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

/// Path of an image in the boot archive.
pub fn path_of<'a>(ready: &'a Ready, source: &Source) -> &'a str {
    match source {
        Source::Primary => &ready.options.primary_kernel,
        Source::Failover => &ready.options.failover_kernel,
        Source::Staged(_) => "the staged image",
        Source::Uploaded(_) => uploaded::NAME,
    }
}

/// A range as instances know it.
pub fn physical(range: Range) -> PhysicalRange {
    PhysicalRange {
        start: range.start,
        end: range.end,
    }
}

/// Finds, checks and loads images.
pub struct Loader {
    ready: &'static Ready,
    space: MonitorSpace,
    region: SharedRegion,
    entropy: u64,
}

impl Loader {
    /// A loader for the plan in `ready`.
    pub fn new(ready: &'static Ready, space: MonitorSpace, region: SharedRegion) -> Self {
        Self {
            ready,
            space,
            region,
            entropy: entropy::bits(),
        }
    }

    /// What the plan was made from, and the plan.
    pub fn ready(&self) -> &'static Ready {
        self.ready
    }

    /// The monitor's address space.
    pub fn space(&mut self) -> &mut MonitorSpace {
        &mut self.space
    }

    /// The slot in which an instance waits, if it has one.
    pub fn slot(&self, instance: Instance) -> Option<PhysicalRange> {
        let plan = &self.ready.plan;
        match instance {
            Instance::A => plan.spare.map(physical),
            Instance::B => plan.backup.ranges.first().copied().map(physical),
        }
    }

    /// Loads an instance, to run on `cores` of which the first leads.
    ///
    /// # Errors
    /// Why the image is not used.
    pub fn load(
        &mut self,
        instance: Instance,
        role: Role,
        source: &Source,
        cores: &[u32],
    ) -> Result<Box<Tenant>, String> {
        let ready = self.ready;
        if let Source::Uploaded(file) = source {
            return self.load_uploaded(instance, *file, cores);
        }
        let archive = archive_window(ready)?;
        // SAFETY: the boot archive is kept out of every slice by the plan, and nobody writes to it.
        let files = unsafe { self.space.open_window(archive, Protection::ReadOnly) }
            .map_err(|error| alloc::format!("no page tables for the boot archive: {error:?}"))?;
        // SAFETY: the window is open until the end of this function.
        let loaded = unsafe { visible_files(&ready.modules) }
            .and_then(|files| self.load_from(&files, instance, role, source, cores));
        // SAFETY: nothing refers to the window any more.
        unsafe { self.space.close_window(files) };
        loaded
    }

    fn load_from(
        &mut self,
        files: &BootFiles<'_>,
        instance: Instance,
        role: Role,
        source: &Source,
        cores: &[u32],
    ) -> Result<Box<Tenant>, String> {
        let path = path_of(self.ready, source);
        let kind = match source {
            Source::Staged(_) => &LINUX,
            _ => files.find(path).map_or(&NATIVE, Kind::of),
        };
        if kind == &LINUX {
            let place = linux::LinuxPlace {
                instance,
                role,
                source,
                cores,
            };
            let tenant = linux::load(self.ready, &mut self.space, self.region, files, &place)?;
            return Ok(Box::new(tenant));
        }
        let (image, bytes) = Image::load(files, path).map_err(|error| error.to_string())?;
        let ranges = self.slice(instance);
        self.load_native(instance, *source, &image, bytes, &ranges, cores)
    }

    /// The memory of an instance.
    fn slice(&self, instance: Instance) -> Vec<PhysicalRange> {
        let plan = &self.ready.plan;
        let slice = match instance {
            Instance::A => &plan.primary,
            Instance::B => &plan.backup,
        };
        slice.ranges.iter().copied().map(physical).collect()
    }

    /// Checks the image and loads it into `ranges`.
    fn load_native(
        &mut self,
        instance: Instance,
        source: Source,
        image: &Image,
        bytes: &[u8],
        ranges: &[PhysicalRange],
        cores: &[u32],
    ) -> Result<Box<Tenant>, String> {
        check_revisions(image)?;
        log::info!(
            "{}: version {}, {} KiB",
            image.path,
            image.version,
            image.size_bytes().div_ceil(1024)
        );
        let mut hand_off = self.hand_off(instance, cores);
        let start_page = self.ready.start_page;
        // SAFETY: the instance's slice is its own by the plan, and nothing of it runs.
        let loaded = unsafe {
            load::load(
                &mut self.space,
                image,
                bytes,
                ranges,
                start_page,
                &mut hand_off,
            )
        };
        Ok(Box::new(Native {
            instance,
            source,
            version: image.version.clone(),
            cores: cores.iter().copied().take(MAX_CORES).collect(),
            loaded: loaded.map_err(|error| error.to_string())?,
            is_begun: false,
        }))
    }

    fn hand_off(&self, instance: Instance, cores: &[u32]) -> HandOff {
        let ready = self.ready;
        let serial = ready.acpi.isa_interrupt(4);
        let peer = self.slice(instance.other()).first().copied();
        // SAFETY: the hand-off is plain numbers, for which zeros are valid.
        let mut hand_off: HandOff = unsafe { core::mem::zeroed() };
        hand_off.magic = HAND_OFF_MAGIC;
        hand_off.abi_revision = ABI_REVISION;
        hand_off.instance = instance.number() as u32;
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
        hand_off.shared = physical(ready.plan.shared);
        hand_off.peer = peer.unwrap_or_default();
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

/// The memory in which the boot loader's modules are.
fn archive_window(ready: &Ready) -> Result<PhysicalRange, String> {
    let modules = || ready.modules.iter().map(|(_, range)| range);
    Ok(PhysicalRange {
        start: modules()
            .map(|module| module.start)
            .min()
            .ok_or("the boot loader gave no boot archive")?,
        end: modules().map(|module| module.end).max().unwrap_or(0),
    })
}

/// The files that the boot loader brought, as the window shows them.
///
/// # Safety
/// The window is open for as long as the files are used.
unsafe fn visible_files(modules: &[(String, Range)]) -> Result<BootFiles<'_>, String> {
    let visible = modules.iter().map(|(name, range)| {
        // SAFETY: the caller's promise; nobody writes to the boot archive.
        let bytes = unsafe { visible(physical(*range)) };
        (name.as_str(), bytes)
    });
    BootFiles::new(visible).map_err(|error| error.to_string())
}

/// Whether an image can work with this monitor.
fn check_revisions(image: &Image) -> Result<(), String> {
    image
        .check_revisions(ABI_REVISION, JOURNAL_REVISION)
        .map_err(|error| error.to_string())
}

/// What an open window shows of `range`.
///
/// # Safety
/// The window is open for as long as the bytes are used, and nobody writes there.
unsafe fn visible<'a>(range: PhysicalRange) -> &'a [u8] {
    // SAFETY: the caller's promise.
    unsafe {
        core::slice::from_raw_parts(
            (DIRECT_BASE + range.start) as *const u8,
            range.len() as usize,
        )
    }
}

/// Tells why an image is not used.
pub fn refuse_image(ready: &Ready, instance: Instance, source: &Source, reason: &str) {
    let path = path_of(ready, source);
    log::error!(
        "event=image-refused instance={instance} path={path} reason=\"{}\"",
        reason.replace('"', "'")
    );
}
