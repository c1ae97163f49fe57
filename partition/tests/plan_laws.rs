//! What holds of every plan and every refusal: what is given out is sound, and what a refusal says would work does.

use std::collections::BTreeSet;

use partition::acpi::ApicId;
use partition::memory::{Region, RegionKind};
use partition::plan::{ALIGN_BYTES, Cpu, SHARED_END, SURVIVES_RESET_START};
use partition::{Machine, MemoryMap, Options, Plan, Range, Refusal, plan};
use proptest::prelude::*;
use sharedmem::MAX_CORES;
use sharedmem::hand_off::RANGES_MAX;

const MIB: u64 = 1 << 20;

fn planned(rest: &str, machine: &Machine) -> Result<Plan, Refusal> {
    let line = format!("primary_kernel=/boot/a failover_kernel=/boot/b {rest}");
    plan(&Options::parse(&line).unwrap(), machine)
}

/// Replaces the options that a refusal speaks of by what it says would work; false if nothing would.
fn follow(given: &mut Vec<(String, String)>, refusal: &Refusal) -> bool {
    let text = &refusal.would_work;
    if text.contains("a machine") {
        return false;
    }
    if refusal.option == "compute" {
        let name = |value: &str| value.split(':').next().map(String::from);
        let of_slice =
            |it: &&mut (String, String)| it.0 == "compute" && name(&it.1) == name(&refusal.given);
        match text.as_str() {
            "to leave it out" => {
                given.retain(|it| it.0 != "compute" || name(&it.1) != name(&refusal.given))
            }
            text => given.iter_mut().find(of_slice).unwrap().1 = text.into(),
        }
        return true;
    }
    let value = text
        .trim_start_matches("at most ")
        .trim_start_matches("at least ");
    let mut set = |name: &str, value: &str| {
        given.retain(|(other, _)| other != name);
        given.push((name.into(), value.into()));
    };
    match value.split_once(" together with journal_mem=") {
        Some((value, journal)) => {
            set(&refusal.option, value);
            set("journal_mem", journal);
        }
        None => set(&refusal.option, value),
    }
    true
}

fn line(given: &[(String, String)]) -> String {
    given
        .iter()
        .map(|(name, value)| format!("{name}={value} "))
        .collect()
}

fn check(plan: &Plan, machine: &Machine) -> Result<(), TestCaseError> {
    let usable = machine.memory_map.usable();
    let mut given: Vec<Range> = plan
        .primary
        .ranges
        .iter()
        .chain(&plan.backup.ranges)
        .chain(&plan.left_over)
        .copied()
        .chain(plan.compute.iter().map(|it| it.range))
        .collect();
    given.push(plan.shared);
    for (index, range) in given.iter().enumerate() {
        prop_assert!(
            !range.is_empty() && range.align_inward(ALIGN_BYTES) == *range,
            "{range} is not aligned"
        );
        prop_assert!(usable.contains(*range), "{range} is not usable");
        prop_assert!(range.start >= MIB, "{range} is low memory");
        prop_assert!(
            given[index + 1..]
                .iter()
                .all(|other| !other.overlaps(*range)),
            "{range} is given twice"
        );
        prop_assert!(
            machine
                .occupied
                .iter()
                .all(|(taken, _)| !taken.overlaps(*range)),
            "{range} is occupied"
        );
    }
    prop_assert!(plan.shared.start >= SURVIVES_RESET_START && plan.shared.end <= SHARED_END);
    prop_assert!(plan.backup.ranges[0].start >= SURVIVES_RESET_START);
    prop_assert!(plan.journal().len() >= plan.options.journal_bytes);
    let asked = plan.options.failover_mem;
    prop_assert!(plan.backup.ranges[0].len() >= asked.size_bytes && plan.backup.ranges.len() == 1);
    prop_assert!(
        asked
            .address
            .is_none_or(|address| plan.backup.ranges[0].start == address)
    );
    prop_assert!(
        plan.primary.ranges[0].len() >= 16 * MIB && plan.primary.ranges.len() <= RANGES_MAX
    );
    prop_assert!(
        plan.primary
            .ranges
            .iter()
            .all(|range| range.len() <= plan.primary.ranges[0].len())
    );

    let mut numbers: Vec<u32> = [plan.seat]
        .iter()
        .chain(&plan.primary.cpus)
        .chain(&plan.backup.cpus)
        .chain(plan.compute.iter().flat_map(|it| &it.cpus))
        .chain(&plan.parked)
        .chain(&plan.silent)
        .map(|cpu| cpu.number)
        .collect();
    numbers.sort();
    prop_assert!(
        numbers.iter().copied().eq(0..machine.cpus.len() as u32),
        "each CPU has one owner"
    );
    let is_silent = |cpu: &Cpu| machine.silent.contains(&cpu.number);
    prop_assert!(plan.silent.iter().all(is_silent));
    prop_assert!(
        !plan
            .primary
            .cpus
            .iter()
            .chain(&plan.backup.cpus)
            .any(is_silent),
        "nobody owns a CPU that did not answer"
    );
    prop_assert!(plan.seat.number == 0 && !plan.primary.cpus.is_empty());
    prop_assert!(plan.primary.cpus.len() + plan.backup.cpus.len() < MAX_CORES);
    prop_assert!(
        plan.backup
            .cpus
            .iter()
            .all(|cpu| plan.options.failover_cpus.contains(cpu.number))
    );
    let clauses = plan.compute.iter().map(|it| &it.clause);
    prop_assert!(clauses.eq(&plan.options.compute), "each slice is planned");
    for slice in &plan.compute {
        let mem = slice.clause.mem;
        prop_assert!(
            slice.range.len() >= mem.size_bytes && slice.range.start >= SURVIVES_RESET_START
        );
        prop_assert!(
            mem.address
                .is_none_or(|address| address == slice.range.start)
        );
        let asked = slice.clause.cpus.iter();
        let answering = asked.filter(|number| !machine.silent.contains(number));
        prop_assert!(answering.eq(slice.cpus.iter().map(|cpu| cpu.number)));
    }
    Ok(())
}

fn any_machine() -> impl Strategy<Value = Machine> {
    let kind = prop_oneof![4 => Just(1u32), 1 => 0u32..7];
    let places = prop_oneof![0u64..(600 * MIB), 0u64..(6 << 30), any::<u64>()];
    let sizes = prop_oneof![0u64..(200 * MIB), 0u64..(4 << 30), any::<u64>()];
    let region = (places.clone(), sizes, kind)
        .prop_map(|(start, size, kind)| Region::sized(start, size, RegionKind::from_e820(kind)));
    let wild = proptest::collection::vec(region, 0..10).prop_map(MemoryMap::new);
    let typical = (30u64..1200).prop_map(|mib| Machine::typical(1, mib * MIB).memory_map);
    let occupied = (places, 0u64..(80 * MIB))
        .prop_map(|(start, size)| (Range::new(start, start.saturating_add(size)), "thing"));
    (
        prop_oneof![4 => 0u32..40, 1 => 500u32..530],
        proptest::collection::vec(1u32..40, 0..3),
        prop_oneof![wild, typical],
        proptest::collection::vec(occupied, 0..4),
    )
        .prop_map(|(cpus, silent, memory_map, occupied)| Machine {
            silent,
            cpus: (0..cpus).map(ApicId).collect(),
            memory_map,
            occupied,
            ..Machine::default()
        })
}

fn any_demand() -> impl Strategy<Value = Vec<(String, String)>> {
    let mib = || prop_oneof![3 => 0u64..100, 2 => 0u64..1200, 1 => 0u64..(1 << 44)];
    let address = prop_oneof![
        (0u64..400).prop_map(|n| n * ALIGN_BYTES),
        0u64..(5 << 30),
        any::<u64>()
    ];
    let backup = (mib(), proptest::option::of(address)).prop_map(|(mib, address)| match address {
        Some(address) => format!("{mib}M@{address:#x}"),
        None => format!("{mib}M"),
    });
    let cpus = prop_oneof![
        Just("0".into()),
        Just("0-3".into()),
        Just("1,5,35".into()),
        "[0-9]|[1-4][0-9]-4[0-9]".prop_filter("backwards", |text| {
            partition::cpu_list::CpuList::parse(text).is_ok()
        })
    ];
    let option = proptest::option::of::<BoxedStrategy<String>>;
    let cpu = prop_oneof![5 => 0u32..12, 1 => 0u32..530];
    let list = proptest::collection::btree_set(cpu, 1..4);
    let size = prop_oneof![4 => 0u64..200, 1 => 0u64..(1 << 44)];
    let place = proptest::option::of(prop_oneof![
        (0u64..600).prop_map(|n| n * ALIGN_BYTES),
        any::<u64>()
    ]);
    let slices = proptest::collection::vec((list, size, place), 0..4).prop_map(|slices| {
        let clause = |(index, (list, mib, place)): (usize, (_, u64, Option<u64>))| {
            let list: partition::cpu_list::CpuList = BTreeSet::into_iter(list).collect();
            let place = place.map(|it| format!("@{it:#x}")).unwrap_or_default();
            format!("s{index}:,cpus={list},mem={mib}M{place}")
        };
        slices
            .into_iter()
            .enumerate()
            .map(clause)
            .collect::<Vec<_>>()
    });
    (
        option(backup.boxed()),
        option(mib().prop_map(|mib| format!("{mib}M")).boxed()),
        option(cpus.boxed()),
        slices,
    )
        .prop_map(|(backup, journal, cpus, slices)| {
            let slices = slices.into_iter().map(|it| ("compute", Some(it)));
            [
                ("failover_mem", backup),
                ("journal_mem", journal),
                ("failover_cpus", cpus),
            ]
            .into_iter()
            .chain(slices)
            .filter_map(|(name, value)| Some((name.into(), value?)))
            .collect()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// Checks that there is a sound plan, or a refusal whose suggestion is true, whatever the machine and the demand.
    /// No option is refused twice for one reason, so following the suggestions ends.
    #[test]
    fn a_plan_is_sound_and_a_suggestion_is_true(machine in any_machine(), mut given in any_demand()) {
        for _ in 0..20 {
            match planned(&line(&given), &machine) {
                Ok(plan) => return check(&plan, &machine),
                Err(refusal) => {
                    prop_assert_eq!(refusal.to_string().lines().count(), 1);
                    if !follow(&mut given, &refusal) {
                        return Ok(());
                    }
                }
            }
        }
        prop_assert!(false, "refused again and again; at last {}", line(&given));
    }

    /// Checks that "at most" is the most: 2 MiB more is refused again.
    #[test]
    fn the_most_is_the_most(machine in any_machine(), mut given in any_demand()) {
        given.retain(|(name, _)| !["failover_cpus", "compute"].contains(&name.as_str()));
        let machine = Machine { cpus: vec![ApicId(0), ApicId(1)], ..machine };
        // What is below its minimum is refused after what does not fit, and would be once more here.
        given.retain(|(_, size)| partition::size::SizeAt::parse(size).unwrap().size_bytes >= 16 * MIB);
        let Err(refusal) = planned(&line(&given), &machine) else { return Ok(()) };
        let Some(most) = refusal.would_work.strip_prefix("at most ") else { return Ok(()) };
        let most = partition::size::SizeAt::parse(most).unwrap();
        let more = partition::size::SizeAt { size_bytes: most.size_bytes + ALIGN_BYTES, ..most };
        follow(&mut given, &refusal);
        prop_assert!(planned(&line(&given), &machine).is_ok(), "{refusal}");
        follow(&mut given, &Refusal { would_work: more.to_string(), ..refusal.clone() });
        prop_assert!(planned(&line(&given), &machine).is_err(), "{refusal}");
    }
}
