//! Loading a Linux: image, initrd, command line, boot parameters and ACPI tables, into its slot.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ptr;

use arch::paging::Protection;
use partition::BootFiles;
use partition::acpi::ApicId;
use partition::linux::command_line::Facts;
use partition::linux::{Files, LinuxBoot, Memory, TableFacts, Tables, acpi};
use partition::tenant::LINUX;
use sharedmem::abi::DIRECT_BASE;
use sharedmem::linux::{RESET_VALUE, TABLE_SIGNATURE};
use sharedmem::{Instance, SharedRegion};
use supervisor::{Order, Role, Source};

use super::{Linux, hand_off};
use crate::boot::Ready;
use crate::loader::physical;
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
    let memory = Memory::of(&ready.plan, place.instance.index(), place.role)
        .map_err(|error| error.to_string())?;
    let piece = physical(memory.piece());
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
    let facts = Facts {
        seat_apic_id: ready.acpi.cpus[0].0,
        tsc_khz: ready.frequencies.tsc_hz / 1000,
    };
    let boot = LinuxBoot::prepare(
        files,
        memory,
        place.role,
        &ready.plan,
        &ready.memory_map,
        facts,
    );
    let boot = boot.map_err(|error| error.to_string())?;
    let layout = boot.layout;
    let tables = tables_of(ready, region, place, memory, layout.tables)?;
    let page = boot
        .params(tables.rsdp)
        .page()
        .map_err(|error| error.to_string())?;
    let mut text = boot.line.text.clone().into_bytes();
    text.push(0);
    // What is staged lies in the upper half of the slot: the initrd goes up first, and the kernel then down.
    for (bytes, at) in [
        (boot.initrd, layout.initrd.start),
        (boot.image.kernel(), layout.kernel),
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
        boot.image.release(),
        boot.image.kernel().len() >> 10,
        boot.initrd.len() >> 10,
        layout.kernel,
        boot.line.added.join(" ")
    );
    Ok(Order {
        page_table: (&raw const boot_pml4) as u64,
        entry: boot.entry(),
        stack_top: boot.kernel_end(),
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
    let parts = match source {
        Source::Primary => {
            return Files::find(ready.options.image(Role::Primary), files)
                .map_err(|error| error.to_string());
        }
        Source::Failover => {
            return Files::find(ready.options.image(Role::Backup), files)
                .map_err(|error| error.to_string());
        }
        // A native image: the loader does not come here with it.
        Source::Uploaded(_) => return Err("a native image is no Linux".to_string()),
        Source::Staged(parts) => parts,
    };
    // SAFETY: the parts lie in the slot, to which the window is open; they are bytes, and are parsed as hostile ones.
    let [kernel, initrd, line] = parts.map(|part| unsafe {
        core::slice::from_raw_parts((DIRECT_BASE + part.start) as *const u8, part.len() as usize)
    });
    let line = core::str::from_utf8(line)
        .map_err(|_| "the staged command line is not UTF-8".to_string())?;
    Ok(Files {
        kernel,
        initrd,
        line,
    })
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
    let reset = ptr::from_ref(&region.control.resume_slots[place.instance].reset) as u64;
    let facts = TableFacts {
        reset_register: (reset, RESET_VALUE),
        own_table: (TABLE_SIGNATURE, hand_off::bytes(&body)),
        seat: ready.acpi.cpus[0],
        cores: &cores,
        local_apic_address: ready.acpi.local_apic_address,
    };
    let tables = match place.role {
        Role::Primary => acpi::of_primary(&ready.originals, facts, at),
        Role::Backup => acpi::of_backup(facts, at),
    };
    tables.map_err(|error| error.to_string())
}
