//! A boot command line that was read is read again the same, and a plan made of it keeps its promises.
//!
//! An input is the line's text, and behind a zero byte the machine, if it is not an ordinary one.

use std::collections::BTreeSet;

use arbitrary::Unstructured;
use partition::acpi::ApicId;
use partition::cmdline::{NetworkConfig, OPTIONS};
use partition::cpu_list::CpuList;
use partition::memory::{Region, RegionKind};
use partition::plan::{
    ALIGN_BYTES, BACKUP_BYTES_MIN, Cpu, JOURNAL_BYTES_MIN, PRIMARY_BYTES_MIN, SHARED_END,
    SURVIVES_RESET_START,
};
use partition::size::SizeAt;
use partition::tenant::KINDS;
use partition::{Kinds, Machine, MemoryMap, Options, Plan, Range, plan};
use sharedmem::MAX_CORES;
use sharedmem::hand_off::RANGES_MAX;

/// Checks the property. See the module.
pub fn check(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == 0);
    let (line, machine) = data.split_at(end.unwrap_or(data.len()));
    let Ok(line) = std::str::from_utf8(line) else {
        return;
    };
    let options = match Options::parse(line) {
        Ok(options) => options,
        Err(refusal) => {
            assert!(!refusal.would_work.is_empty(), "{refusal}");
            return;
        }
    };
    read_again(&options);
    let machine = match machine.get(1..) {
        None | Some([]) => Machine::typical(4, 512 << 20),
        Some(bytes) => machine_of(&mut Unstructured::new(bytes)).unwrap_or_default(),
    };
    match plan(&options, &machine) {
        Ok(plan) => is_sound(&plan, &machine),
        Err(refusal) => assert!(!refusal.to_string().is_empty()),
    }
}

/// Checks that options that are written as a line read the same.
fn read_again(options: &Options) {
    let said = OPTIONS.iter().filter(|spec| options.was_given(spec.name));
    let line: Vec<String> = said
        .map(|spec| {
            let value = options.as_given(spec.name);
            let value = value.replace('\\', r"\\").replace('"', "\\\"");
            format!("{}=\"{value}\"", spec.name)
        })
        .collect();
    assert_eq!(Options::parse(&line.join(" ")).as_ref(), Ok(options));

    let cpus = options.failover_cpus.to_string();
    assert_eq!(CpuList::parse(&cpus).as_ref(), Ok(&options.failover_cpus));
    let memory = options.failover_mem.to_string();
    assert_eq!(SizeAt::parse(&memory), Ok(options.failover_mem));
    let network = options.network.to_string();
    assert_eq!(NetworkConfig::parse(&network), Ok(options.network));
    assert!(options.failover_timeout_ns >= 2 * options.keepalive_ns);
    assert!(options.exec.is_sorted_by_key(|clause| clause.at_ns));
    for kind in KINDS {
        assert!(kind.keepalive_period_ns(options) > 0);
        assert!(kind.boot_timeout_ns(options) >= options.failover_timeout_ns.min(60_000_000_000));
    }
}

/// Returns how many CPUs a machine has: up to 40, or some more or less than there is room for.
fn cpu_count(cpus: u8) -> u32 {
    match u32::from(cpus) % 50 {
        few @ 0..40 => few,
        many => MAX_CORES as u32 - 45 + many,
    }
}

/// Makes a machine, with up to a dozen claims on its memory.
fn machine_of(input: &mut Unstructured<'_>) -> arbitrary::Result<Machine> {
    let kind = |number: u8| KINDS[usize::from(number) % KINDS.len()];
    let [cpus, kinds] = input.arbitrary::<[u8; 2]>()?;
    let mut claims = Vec::new();
    let mut occupied = Vec::new();
    while !input.is_empty() && claims.len() + occupied.len() < 12 {
        let [what, unit] = input.arbitrary::<[u8; 2]>()?;
        let [start, size] = input.arbitrary::<[u16; 2]>()?;
        let shift = [12, 16, 20, 21, 30, 48][usize::from(unit) % 6];
        let (start, size) = (u64::from(start) << shift, u64::from(size) << shift);
        match what {
            0..0xc0 => claims.push(Region::sized(
                start,
                size,
                RegionKind::from_e820((what % 13).into()),
            )),
            _ => occupied.extend(Range::sized(start, size).map(|range| (range, "something"))),
        }
    }
    Ok(Machine {
        cpus: (0..cpu_count(cpus)).map(ApicId).collect(),
        memory_map: MemoryMap::new(claims),
        occupied,
        kinds: Kinds {
            primary: kind(kinds & 15),
            backup: kind(kinds >> 4),
        },
        // On some machines every fourth CPU does not answer; the seat always does.
        silent: (1..40)
            .filter(|number| cpus & 0x40 != 0 && number % 4 == 3)
            .collect(),
        ..Machine::default()
    })
}

/// Checks that nothing is given out twice, and nothing that is not there.
fn is_sound(plan: &Plan, machine: &Machine) {
    let backup = *plan.backup.ranges.first().expect("the backup has memory");
    let aligned: Vec<Range> = (plan.primary.ranges.iter().chain(&plan.backup.ranges))
        .chain([&plan.shared])
        .chain(&plan.pmem)
        .copied()
        .collect();
    for range in &aligned {
        assert_eq!(range.align_inward(ALIGN_BYTES), *range, "{plan}");
        assert!(!range.is_empty(), "{plan}");
    }
    let low = plan
        .low
        .iter()
        .map(|(_, range)| *range)
        .filter(|range| !range.is_empty());
    let given: Vec<Range> = aligned.into_iter().chain(low).collect();
    let usable = machine.memory_map.usable();
    for (index, range) in given.iter().enumerate() {
        assert!(usable.contains(*range), "{plan}");
        let taken = machine.occupied.iter().map(|(range, _)| range);
        let others = given[..index].iter().chain(taken);
        for other in others {
            assert!(!range.overlaps(*other), "{range} and {other}\n{plan}");
        }
    }
    assert!(plan.shared.start >= SURVIVES_RESET_START && backup.start >= SURVIVES_RESET_START);
    assert!(plan.shared.end <= SHARED_END);
    assert!(plan.journal().len() >= JOURNAL_BYTES_MIN.max(plan.options.journal_bytes));
    assert!(backup.len() >= BACKUP_BYTES_MIN);
    assert!(
        plan.primary
            .ranges
            .iter()
            .any(|range| range.len() >= PRIMARY_BYTES_MIN)
    );
    assert!(plan.primary.ranges.len() <= RANGES_MAX);
    if let Some(spare) = plan.spare {
        assert!(
            plan.primary
                .ranges
                .iter()
                .any(|range| range.contains(spare))
        );
        assert!(plan.pool().iter().all(|range| !range.overlaps(spare)));
    }
    has_cores(plan, machine);
}

/// Checks that every core has exactly one place.
fn has_cores(plan: &Plan, machine: &Machine) {
    let cores = [&plan.seat]
        .into_iter()
        .chain(&plan.primary.cpus)
        .chain(&plan.backup.cpus);
    let running = cores.clone().count();
    let idle = plan.parked.len() + plan.silent.len();
    let all = cores.chain(&plan.parked).chain(&plan.silent);
    let all: BTreeSet<u32> = all.map(|cpu| cpu.number).collect();
    assert_eq!(all.len(), running + idle, "{plan}");
    let is_silent = |cpu: &Cpu| machine.silent.contains(&cpu.number);
    assert!(plan.silent.iter().all(is_silent) && !plan.primary.cpus.iter().any(is_silent));
    assert_eq!(all.len(), machine.cpus.len(), "{plan}");
    assert_eq!(plan.seat.number, 0);
    assert!(running <= MAX_CORES && !plan.primary.cpus.is_empty());
    assert!(plan.options.failover_cpus.contains(0));
}
