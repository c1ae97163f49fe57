//! Loading a Linux: image, initrd, command line, boot parameters and ACPI tables, into its slot.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ptr;

use arch::paging::Protection;
use partition::acpi::ApicId;
use partition::cmdline::IommuOwner;
use partition::linux::command_line::Facts;
use partition::linux::{Files, LinuxBoot, LinuxError, TableFacts, Tables, acpi};
use partition::tenant::LINUX;
use partition::{BootFiles, InstanceMemory};
use sharedmem::Instance;
use sharedmem::Role;
use sharedmem::linux::{RESET_VALUE, TABLE_SIGNATURE};
use supervisor::{LoadRequest, Order, Source};

use super::context::Context;
use super::refusal::Refusal;
use crate::hand_off::linux as hand_off;
use crate::ranges::physical;
use crate::tenants::Tenant;
use crate::tenants::linux::Linux;
use crate::window::Window;

unsafe extern "C" {
    /// The tables the monitor itself was booted with: the first 4 GiB, identity mapped.
    static boot_pml4: u8;
}

/// Loads a Linux into its slot.
///
/// # Errors
/// Why it is not used.
pub fn load(
    context: &Context,
    request: &LoadRequest<'_>,
    archive: &BootFiles<'_>,
) -> Result<Box<Tenant>, Refusal> {
    let memory = context.plan.memory_of(request.instance, request.role);
    let memory = memory.ok_or(LinuxError::NoSlot)?;
    let piece = physical(memory.piece());
    // SAFETY: the slot is the instance's own by the plan, and nothing of it runs; the source of a staged image lies in
    // it too, and is read before it is written over.
    let window = unsafe { context.windows.open(piece, Protection::ReadWrite) };
    let window = window.map_err(|error| Refusal::Window("its slot", error))?;
    let files = find_files(context, request.source, archive, &window)?;
    let facts = Facts {
        seat_apic_id: context.facts.seat_apic_id(),
        tsc_khz: context.facts.frequencies.tsc_hz / 1000,
    };
    let machine = &context.facts.memory_map;
    let linux = LinuxBoot::prepare(files, &memory, request.role, machine, facts)?;
    let tables = make_tables(context, request, &memory, linux.layout.tables)?;
    put(&linux, &tables, &window)?;
    report(&linux, request.instance);
    let boot = Order {
        page_table: (&raw const boot_pml4) as u64,
        entry: linux.entry(),
        stack_top: linux.kernel_end(),
        arguments: [0, linux.layout.boot_params, 0],
    };
    let (release, slot) = (linux.image.release(), physical(memory.slot));
    Ok(Box::new(Linux::new(context, request, release, slot, boot)))
}

/// Finds kernel, initrd and command line: in the boot archive, or, of a staged image, in the slot, which `window`
/// shows.
fn find_files<'a>(
    context: &Context,
    source: Source,
    archive: &BootFiles<'a>,
    window: &'a Window,
) -> Result<Files<'a>, Refusal> {
    let options = &context.plan.options;
    match source {
        Source::Primary => Ok(Files::find(options.image(Role::Primary), archive)?),
        Source::Failover => Ok(Files::find(options.image(Role::Backup), archive)?),
        Source::Uploaded(_) => Err(Refusal::WrongKind(&LINUX)),
        Source::Staged(parts) => {
            let [kernel, initrd, line] = parts.map(|part| window.part(part));
            let line = core::str::from_utf8(line).map_err(|_| Refusal::StagedLine)?;
            Ok(Files {
                kernel,
                initrd,
                line,
            })
        }
    }
}

/// Makes its ACPI tables, for physical address `at`.
fn make_tables(
    context: &Context,
    request: &LoadRequest<'_>,
    memory: &InstanceMemory,
    at: u64,
) -> Result<Tables, Refusal> {
    let (facts, plan) = (context.facts, context.plan);
    let other = match request.instance {
        Instance::A => plan.backup.ranges.first().copied(),
        Instance::B => plan.spare,
    };
    let slots = hand_off::Slots {
        slot: physical(memory.slot),
        spare: other.map(physical).unwrap_or_default(),
        adds_pool: request.role == Role::Backup,
    };
    let body = hand_off::make(facts, plan, request.instance, request.cores[0], &slots);
    let body = hand_off::bytes(&body, &facts.sized_functions);
    let apic_id = |core: &u32| facts.acpi.cpus[*core as usize];
    let cores: Vec<ApicId> = request.cores.iter().map(apic_id).collect();
    // The region is identity mapped.
    let reset = ptr::from_ref(&context.region.control.resume_slots[request.instance].reset) as u64;
    let table_facts = TableFacts {
        reset_register: (reset, RESET_VALUE),
        own_table: (TABLE_SIGNATURE, &body),
        seat: facts.acpi.cpus[0],
        cores: &cores,
        local_apic_address: facts.acpi.local_apic_address,
        has_iommu: plan.options.iommu == IommuOwner::Tenant,
    };
    Ok(match request.role {
        Role::Primary => acpi::of_primary(&facts.acpi_tables, table_facts, at)?,
        Role::Backup => acpi::of_backup(table_facts, at)?,
    })
}

/// Puts everything into its place in the slot, which `window` shows.
fn put(linux: &LinuxBoot<'_>, tables: &Tables, window: &Window) -> Result<(), Refusal> {
    let layout = linux.layout;
    let params = linux.params(tables.rsdp);
    let page = params.page()?;
    let mut line = linux.line.text.clone().into_bytes();
    line.push(0);
    // What is staged lies in the upper half of the slot: the initrd goes up first, and the kernel then down.
    for (bytes, at) in [
        (linux.initrd, layout.initrd.start),
        (linux.image.kernel(), layout.kernel),
        (&tables.bytes, layout.tables),
        (&line, layout.command_line),
        (&params.map_rest(), layout.map_rest),
        (&page, layout.boot_params),
    ] {
        // SAFETY: the layout is inside the piece the window shows; source and target may overlap.
        unsafe { ptr::copy(bytes.as_ptr(), window.at(at), bytes.len()) };
    }
    Ok(())
}

fn report(linux: &LinuxBoot<'_>, instance: Instance) {
    log::info!(
        "instance {instance}: Linux {}, {} KiB, initrd {} KiB, at {:#x}; added to its command line: {}",
        linux.image.release(),
        linux.image.kernel().len() >> 10,
        linux.initrd.len() >> 10,
        linux.layout.kernel,
        linux.line.added.join(" ")
    );
}
