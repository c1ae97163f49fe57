//! Loading a Linux: image, initrd, command line, boot parameters and ACPI tables, into its slot.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ptr;

use arch::paging::Protection;
use partition::acpi::ApicId;
use partition::linux::command_line::Facts;
use partition::linux::{
    BootParams, BzImage, CommandLine, Layout, Role as LineRole, TableFacts, Tables, acpi,
    bzimage::ENTRY_64, memory_map,
};
use partition::tenant::LINUX;
use partition::{BootFiles, Range};
use sharedmem::abi::DIRECT_BASE;
use sharedmem::linux::{RESET_VALUE, TABLE_SIGNATURE};
use sharedmem::{Instance, SharedRegion};
use supervisor::{Order, Role, Source};

use super::{Linux, hand_off};
use crate::boot::Ready;
use crate::loader::{path_of, physical};
use crate::memory::MonitorSpace;

unsafe extern "C" {
    /// The tables the monitor itself was booted with: the first 4 GiB, identity mapped.
    static boot_pml4: u8;
}

/// What is loaded where, and for what.
pub struct LinuxPlace<'a> {
    /// Which instance it is.
    pub instance: Instance,
    /// Whether it owns the machine from its boot.
    pub role: Role,
    /// Where its image comes from.
    pub source: &'a Source,
    /// Machine numbers of its cores; the first leads.
    pub cores: &'a [u32],
}

/// Memory of an instance.
struct Memory {
    /// Where it waits, or was booted.
    slot: Range,
    /// All of it but low memory; for a backup the slot.
    main: Vec<Range>,
    /// Below 1 MiB.
    low: Range,
}

/// The files of a Linux, as bytes.
struct Files<'a> {
    kernel: &'a [u8],
    initrd: &'a [u8],
    line: &'a str,
}

/// Loads a Linux into its slot.
///
/// # Errors
/// Why it is not used.
pub fn load(
    ready: &Ready,
    space: &mut MonitorSpace,
    region: SharedRegion,
    files: &BootFiles<'_>,
    place: &LinuxPlace<'_>,
) -> Result<Linux, String> {
    let memory = memory_of(ready, place)?;
    let piece = memory.main.iter().copied().max_by_key(below_4_gib);
    let piece = physical(piece.ok_or("it has no memory")?);
    // SAFETY: the slot is the instance's own by the plan, and nothing of it runs; the source of a staged image lies in it too, and is read
    // before it is written over.
    let window = unsafe { space.open_window(piece, Protection::ReadWrite) }
        .map_err(|error| alloc::format!("no page tables for its slot: {error:?}"))?;
    // SAFETY: the window is open until after the call; the staged parts were checked to lie in the slot.
    let loaded = unsafe { put_all(ready, region, files, place, &memory) };
    // SAFETY: nothing refers to the window any more.
    unsafe { space.close_window(window) };
    let boot = loaded?;
    let timeout_ns = ready.options.boot_timeout_ns(&LINUX);
    let slot = physical(memory.slot);
    Ok(Linux::new(
        place.instance,
        *place.source,
        place.cores,
        slot,
        boot,
        timeout_ns,
        region,
    ))
}

fn below_4_gib(range: &Range) -> u64 {
    range.intersection(Range::new(0, 1 << 32)).len()
}

fn memory_of(ready: &Ready, place: &LinuxPlace<'_>) -> Result<Memory, String> {
    let plan = &ready.plan;
    let slot = match place.instance {
        Instance::A => plan.spare.or(plan.primary.ranges.first().copied()),
        Instance::B => plan.backup.ranges.first().copied(),
    };
    let slot = slot.ok_or("the plan has no slot for it")?;
    let main = match (place.role, place.instance) {
        (Role::Backup, _) => [slot].into(),
        (Role::Primary, Instance::A) => plan.primary.ranges.clone(),
        // The first backup, started anew as the primary.
        (Role::Primary, Instance::B) => [slot].into_iter().chain(plan.pool()).collect(),
    };
    let low = plan.low[place.instance.index()];
    match low.is_empty() {
        true => Err(
            "the plan has no memory below 1 MiB for it, as it was made for another kind of image"
                .into(),
        ),
        false => Ok(Memory { slot, main, low }),
    }
}

/// Puts everything into memory. Returns how the lead enters the kernel.
///
/// # Safety
/// A writable window is open onto the largest piece of the instance's memory below 4 GiB, and nothing of the instance runs.
unsafe fn put_all(
    ready: &Ready,
    region: SharedRegion,
    files: &BootFiles<'_>,
    place: &LinuxPlace<'_>,
    memory: &Memory,
) -> Result<Order, String> {
    // SAFETY: the caller's promise.
    let files = unsafe { files_of(ready, files, place.source)? };
    let image = BzImage::parse(files.kernel).map_err(|error| error.to_string())?;
    let layout = Layout::of(&image, files.initrd.len() as u64, &memory.main)
        .map_err(|error| error.to_string())?;
    let (role, line) = line_of(ready, place, &files, &image)?;
    let tables = tables_of(ready, region, place, memory, layout.tables)?;
    let mut ranges = memory.main.clone();
    ranges.push(memory.low);
    let own = memory_map::Own {
        ranges: &ranges,
        boot_area: layout.boot_area,
        pmem: ready.plan.pmem,
    };
    let map = match role {
        LineRole::Owner => memory_map::of_owner(&ready.memory_map, own),
        LineRole::Backup => memory_map::of_slot(own),
    };
    let params = BootParams {
        image: &image,
        command_line: layout.command_line,
        initrd: layout.initrd,
        rsdp: tables.rsdp,
        map: &map,
    };
    let page = params.page().map_err(|error| error.to_string())?;
    let mut text = line.text.into_bytes();
    text.push(0);
    // What is staged lies in the upper half of the slot: the initrd goes up first, and the kernel then down.
    for (bytes, at) in [
        (files.initrd, layout.initrd.start),
        (image.kernel(), layout.kernel),
        (&tables.bytes, layout.tables),
        (&text, layout.command_line),
        (&page, layout.boot_params),
    ] {
        // SAFETY: the layout is inside the piece the window shows; source and target may overlap.
        unsafe { ptr::copy(bytes.as_ptr(), (DIRECT_BASE + at) as *mut u8, bytes.len()) };
    }
    log::info!(
        "instance {}: Linux {}, {} KiB, initrd {} KiB, at {:#x}; added to its command line: {}",
        place.instance,
        image.version.split(' ').next().unwrap_or_default(),
        image.kernel().len() >> 10,
        files.initrd.len() >> 10,
        layout.kernel,
        line.added.join(" ")
    );
    Ok(Order {
        page_table: (&raw const boot_pml4) as u64,
        entry: layout.kernel + ENTRY_64,
        // Not used before the kernel has its own; any memory of its own will do.
        stack_top: layout.kernel + image.init_size_bytes,
        arguments: [0, layout.boot_params, 0],
    })
}

/// # Safety
/// As for [`put_all`].
unsafe fn files_of<'a>(
    ready: &'a Ready,
    files: &BootFiles<'a>,
    source: &Source,
) -> Result<Files<'a>, String> {
    let find = |path: &str| files.find(path).map_err(|error| error.to_string());
    let options = &ready.options;
    let (initrd, line) = match source {
        Source::Primary => (&options.primary_initrd, &options.primary_cmdline),
        Source::Failover => (&options.failover_initrd, &options.failover_cmdline),
        // A native image: the loader does not come here with it.
        Source::Uploaded(_) => return Err("a native image is no Linux".to_string()),
        Source::Staged(parts) => {
            // SAFETY: the parts lie in the slot, to which the window is open; they are bytes, and are parsed as hostile ones.
            let [kernel, initrd, line] = parts.map(|part| unsafe {
                core::slice::from_raw_parts(
                    (DIRECT_BASE + part.start) as *const u8,
                    part.len() as usize,
                )
            });
            let line = core::str::from_utf8(line)
                .map_err(|_| "the staged command line is not UTF-8".to_string())?;
            return Ok(Files {
                kernel,
                initrd,
                line,
            });
        }
    };
    Ok(Files {
        kernel: find(path_of(ready, source))?,
        initrd: match initrd.is_empty() {
            true => &[],
            false => find(initrd)?,
        },
        line,
    })
}

fn line_of(
    ready: &Ready,
    place: &LinuxPlace<'_>,
    files: &Files<'_>,
    image: &BzImage<'_>,
) -> Result<(LineRole, CommandLine), String> {
    let role = match place.role {
        Role::Primary => LineRole::Owner,
        Role::Backup => LineRole::Backup,
    };
    let facts = Facts {
        seat_apic_id: ready.acpi.cpus[0].0,
        tsc_khz: ready.frequencies.tsc_hz / 1000,
    };
    let line = CommandLine::complete(role, files.line, facts, image);
    Ok((role, line.map_err(|error| error.to_string())?))
}

fn tables_of(
    ready: &Ready,
    region: SharedRegion,
    place: &LinuxPlace<'_>,
    memory: &Memory,
    at: u64,
) -> Result<Tables, String> {
    let plan = &ready.plan;
    let other = match place.instance {
        Instance::A => plan.backup.ranges.first().copied(),
        Instance::B => plan.spare,
    };
    let slots = hand_off::Slots {
        slot: physical(memory.slot),
        spare: other.map(physical).unwrap_or_default(),
        adds_pool: place.role == Role::Backup,
    };
    let body = hand_off::make(ready, place.instance, place.cores[0], &slots);
    let cores: Vec<ApicId> = place
        .cores
        .iter()
        .map(|core| ready.acpi.cpus[*core as usize])
        .collect();
    // The region is identity mapped.
    let reset = ptr::from_ref(&region.control.linux[place.instance].reset) as u64;
    let facts = TableFacts {
        reset_register: (reset, RESET_VALUE),
        own_table: (TABLE_SIGNATURE, hand_off::bytes(&body)),
        seat: ready.acpi.cpus[0],
        cores: &cores,
        local_apic_address: ready.acpi.local_apic_address,
    };
    let tables = match place.role {
        Role::Primary => acpi::of_owner(&ready.originals, facts, at),
        Role::Backup => acpi::of_slot(facts, at),
    };
    tables.map_err(|error| error.to_string())
}
