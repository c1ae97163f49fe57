//! The plan as a table for people: who, which cores, which memory, how much, why.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::{ComputeSlice, Cpu, Plan, Slice};
use sharedmem::hand_off::RANGES_MAX;
use sharedmem::{MAX_CORES, Role};

use crate::acpi::iommu::{Iommus, Skipped};
use crate::acpi::{ApicId, CpuNote};
use crate::cmdline::ComputeClause;
use crate::columns::write_columns;
use crate::cpu_list::CpuList;
use crate::duration::DurationText;
use crate::memory::USABLE_END;
use crate::range::Range;
use crate::size::SizeText;

type Row = [String; 5];

pub(super) fn write(f: &mut fmt::Formatter<'_>, plan: &Plan) -> fmt::Result {
    let mut rows: Vec<Row> = [["who", "cores", "memory", "size", "why"].map(String::from)].into();
    rows.push(row(
        "seat",
        &[plan.seat],
        None,
        "the CPU that was booted: INIT stops every other one",
    ));
    slice(
        &mut rows,
        "primary",
        &plan.primary,
        "everything that is not kept",
    );
    let why = match plan.backup.cpus.is_empty() {
        true => "failover_mem; waits on the seat",
        false => "failover_mem, failover_cpus; waits on the seat, its cores parked",
    };
    slice(&mut rows, "backup", &plan.backup, why);
    for slice in &plan.compute {
        let why = compute_purpose(slice);
        rows.push(row("compute", &slice.cpus, Some(slice.range), &why));
    }
    let why = format!(
        "control block {}, journal {}",
        SizeText(plan.control_bytes),
        SizeText(plan.journal().len())
    );
    rows.push(row("shared", &[], Some(plan.shared), &why));
    if let Some(pmem) = plan.pmem {
        rows.push(row(
            "pmem",
            &[],
            Some(pmem),
            "offered to Linux as a disk in memory",
        ));
    }
    if let Some(spare) = plan.spare {
        let why = "the first primary's; the next backup waits there";
        rows.push(row("spare", &[], Some(spare), why));
    }
    for role in Role::ALL {
        let (range, who) = (plan.low[role.first_instance()], role.name());
        if !range.is_empty() {
            let why = format!("below 1 MiB, for the {who}'s cores to start in");
            rows.push(row("low", &[], Some(range), &why));
        }
    }
    for (range, name) in &plan.occupied {
        rows.push(row("boot", &[], Some(*range), name));
    }
    iommus(&mut rows, &plan.iommus);
    if !plan.parked.is_empty() {
        let why = format!("more than {MAX_CORES} CPUs: they stay parked");
        rows.push(row("nobody", &plan.parked, None, &why));
    }
    if !plan.silent.is_empty() {
        let ids = plan.silent.iter().map(|cpu| cpu.apic_id);
        let why = format!(
            "warning: no answer to INIT and SIPI ({}): left out",
            apic_ids(ids)
        );
        rows.push(row("nobody", &plan.silent, None, &why));
    }
    for note in CPU_NOTES {
        let noted = plan.cpu_notes.iter().filter(|(_, kind)| *kind == note);
        let ids: Vec<ApicId> = noted.map(|(id, _)| *id).collect();
        if !ids.is_empty() {
            let why = format!("MADT, {}: {}", apic_ids(ids.into_iter()), meaning(note));
            rows.push(row("nobody", &[], None, &why));
        }
    }
    for (range, number) in &plan.persistent {
        let why = format!("persistent memory (E820 type {number}): left alone");
        rows.push(row("nobody", &[], Some(*range), &why));
    }
    for range in &plan.unreachable {
        let why = format!("above {}: no kernel here reaches it", SizeText(USABLE_END));
        rows.push(row("nobody", &[], Some(*range), &why));
    }
    for range in &plan.left_over {
        let why = format!("more than {RANGES_MAX} pieces of memory");
        rows.push(row("nobody", &[], Some(*range), &why));
    }
    let cells: Vec<[&str; 5]> = rows
        .iter()
        .map(|row| row.each_ref().map(String::as_str))
        .collect();
    write_columns(f, &cells, Some(3))?;
    write_options(f, plan)
}

/// Says what a slice is for.
fn compute_purpose(slice: &ComputeSlice) -> String {
    let ComputeClause {
        name,
        image,
        stall_ns,
        ..
    } = &slice.clause;
    let image = match image.as_str() {
        "" => "loaded later",
        image => image,
    };
    let without_cores = match slice.cpus.is_empty() {
        true => "; warning: none of its CPUs answers",
        false => "",
    };
    let stall = DurationText(*stall_ns);
    format!("slice {name}: {image}, stall {stall}{without_cores}")
}

/// Adds a row for each unit, for each piece of reserved memory, and for what is not used.
fn iommus(rows: &mut Vec<Row>, iommus: &Iommus) {
    for unit in &iommus.units {
        let registers = Range::new(unit.registers, unit.registers.saturating_add(4096));
        let why = format!("{}, segment {}: its registers", unit.vendor, unit.segment);
        rows.push(row("IOMMU", &[], Some(registers), &why));
    }
    for reserved in &iommus.reserved {
        let why = format!(
            "reserved: devices of segment {} reach it always",
            reserved.segment
        );
        rows.push(row("IOMMU", &[], Some(reserved.range), &why));
    }
    for Skipped { name, kind, offset } in &iommus.skipped {
        let why = format!("entry {name} (type {kind}) at byte {offset}: not used");
        rows.push(row("IOMMU", &[], None, &why));
    }
}

/// The notes in the order in which they are shown.
const CPU_NOTES: [CpuNote; 4] = [
    CpuNote::ListedTwice,
    CpuNote::Broadcast,
    CpuNote::NotListed,
    CpuNote::NotPlugged,
];

fn meaning(note: CpuNote) -> &'static str {
    match note {
        CpuNote::ListedTwice => "warning: listed twice; one entry of each counts",
        CpuNote::Broadcast => "warning: everybody's address is no CPU's; left out",
        CpuNote::NotListed => "warning: the CPU that was booted is not listed; it is used",
        CpuNote::NotPlugged => "could be plugged in later; would not be used",
    }
}

/// Names APIC ids as a list: `APIC id 4`, `APIC ids 4-7,12`.
fn apic_ids(ids: impl Iterator<Item = ApicId>) -> String {
    let list: CpuList = ids.map(|id| id.0).collect();
    let plural = if list.len() == 1 { "" } else { "s" };
    format!("APIC id{plural} {list}")
}

fn write_options(f: &mut fmt::Formatter<'_>, plan: &Plan) -> fmt::Result {
    let options = &plan.options;
    writeln!(
        f,
        "keepalive {}, failover_timeout {}, failover_boot_timeout {}, failover_rearm {}, failover_reset {}, \
         failover_watchdog {}",
        DurationText(plan.kinds.primary.keepalive_period_ns(options)),
        DurationText(options.failover_timeout_ns),
        DurationText(plan.kinds.primary.boot_timeout_ns(options)),
        options.failover_rearm,
        options.failover_reset,
        options
            .failover_watchdog_ns
            .map_or("off".into(), |ns| DurationText(ns).to_string()),
    )?;
    writeln!(
        f,
        "primary_kernel {}, failover_kernel {}, service {}",
        options.primary_kernel, options.failover_kernel, options.service
    )
}

/// Adds a slice: a row for its first range, then one for each further range.
fn slice(rows: &mut Vec<Row>, who: &str, slice: &Slice, why: &str) {
    rows.push(row(who, &slice.cpus, slice.ranges.first().copied(), why));
    for range in slice.ranges.iter().skip(1) {
        let [_, _, memory, size, _] = row("", &[], Some(*range), "");
        rows.push([String::new(), String::new(), memory, size, String::new()]);
    }
}

fn row(who: &str, cpus: &[Cpu], range: Option<Range>, why: &str) -> Row {
    let list: CpuList = cpus.iter().map(|cpu| cpu.number).collect();
    let cores = match list.is_empty() {
        true => "-".into(),
        false => list.to_string(),
    };
    let (memory, size) = match range {
        Some(range) => (range.to_string(), rounded(range.len())),
        None => ("-".into(), "-".into()),
    };
    [who.into(), cores, memory, size, why.into()]
}

/// Rounds to whole mebibytes, or kibibytes where that is less than one.
fn rounded(bytes: u64) -> String {
    match bytes {
        0..0x10_0000 => format!("{}K", bytes.div_ceil(1 << 10)),
        _ => format!("{}M", bytes.div_ceil(1 << 20)),
    }
}
