//! The plan, as its users see it: what is given out is sound, and what a refusal says would work does.

use partition::acpi::ApicId;
use partition::memory::{Region, RegionKind};
use partition::plan::{ALIGN_BYTES, SHARED_END, SURVIVES_RESET_START};
use partition::tenant::{LINUX, NATIVE};
use partition::{Kinds, Machine, MemoryMap, Options, Plan, Range, Refusal, plan};
use proptest::prelude::*;
use sharedmem::MAX_CORES;
use sharedmem::hand_off::RANGES_MAX;

const MIB: u64 = 1 << 20;

fn planned(rest: &str, machine: &Machine) -> Result<Plan, Refusal> {
    let line = format!("primary_kernel=/boot/a failover_kernel=/boot/b {rest}");
    plan(&Options::parse(&line).unwrap(), machine)
}

fn refused(rest: &str, machine: &Machine) -> String {
    planned(rest, machine).unwrap_err().to_string()
}

fn machine_with_boot(cpus: u32, mib: u64) -> Machine {
    let mut machine = Machine::typical(cpus, mib * MIB);
    machine.occupied = vec![
        (Range::new(0x8000, 0x9000), "trampoline page"),
        (Range::new(0x10_0000, 0x18_0000), "boot image"),
        (
            Range::new(mib * MIB - 0x60_0000, mib * MIB - 0x10_0000),
            "boot archive",
        ),
    ];
    machine
}

#[test]
fn the_plan_of_an_ordinary_machine() {
    let plan = planned("failover_cpus=0,3", &machine_with_boot(4, 512)).unwrap();
    let expected = "\
who      cores  memory                 size  why
seat     0      -                         -  the CPU that was booted: INIT stops every other one
primary  1-2    0x9200000-0x1fa00000   360M  everything that is not kept
                0x200000-0x3000000      46M
backup   3      0x5200000-0x9200000     64M  failover_mem, failover_cpus; waits on the seat, its cores parked
shared   -      0x3000000-0x5200000     34M  control block 2M, journal 32M
boot     -      0x8000-0x9000            4K  trampoline page
boot     -      0x100000-0x180000      512K  boot image
boot     -      0x1fa00000-0x1ff00000    5M  boot archive
keepalive 1ms, failover_timeout 10ms, failover_boot_timeout 5s, failover_rearm manual, failover_reset auto
primary_kernel /boot/a, failover_kernel /boot/b, service redis:6379
";
    assert_eq!(
        plan.to_string().replace("  \n", "\n"),
        expected.replace("  \n", "\n")
    );
    assert_eq!(plan.journal(), Range::new(0x320_0000, 0x520_0000));
}

#[test]
fn what_is_too_large_is_refused_with_what_is_not() {
    let machine = Machine::typical(4, 512 * MIB);
    assert_eq!(
        refused("failover_mem=2T", &machine),
        "failover_mem=2T: the machine has 512 MiB of usable memory; at most 428M would work"
    );
    assert_eq!(
        refused("failover_mem=430M", &machine),
        "failover_mem=430M: of the 512 MiB of usable memory, no piece above 48M has room for the backup beside the \
         other, \
         with 16M left to the primary; at most 428M would work"
    );
    assert_eq!(
        refused("journal_mem=10G", &machine),
        "journal_mem=10G: the machine has 512 MiB of usable memory; at most 396M would work"
    );
    assert_eq!(
        refused("", &Machine::typical(2, 32 * MIB)),
        "failover_mem=64M (the default): the machine has 32 MiB of usable memory, too little for any primary, backup \
         and journal; 16M together with journal_mem=1M on a machine \
         with at least 128M of memory would work"
    );
}

#[test]
fn an_address_is_honoured_or_refused_with_the_nearest() {
    let machine = machine_with_boot(4, 512);
    let plan = planned("failover_mem=64M@0x8000000", &machine).unwrap();
    assert_eq!(plan.backup.ranges, [Range::new(0x800_0000, 0xc00_0000)]);
    assert_eq!(
        refused("failover_mem=64M@0x8000001", &machine),
        "failover_mem=64M@0x8000001: 0x8000001 is no multiple of 2M; 64M@0x8000000 would work"
    );
    assert_eq!(
        refused("failover_mem=64M@16M", &machine),
        "failover_mem=64M@16M: memory below 0x3000000 does not outlive a reset of the platform; 64M@0x3000000 would \
         work"
    );
    assert_eq!(
        refused("failover_mem=64M@0x1c000000", &machine),
        "failover_mem=64M@0x1c000000: the boot archive is at 0x1fa00000-0x1ff00000; 64M@0x1ba00000 would work"
    );
    assert_eq!(
        refused("failover_mem=64M@1T", &machine),
        "failover_mem=64M@1T: not all of 0x10000000000-0x10004000000 is usable memory; 64M@0x1ba00000 would work"
    );
}

#[test]
fn where_no_address_will_do_the_size_is_refused_for_the_address_that_was_given() {
    let machine = Machine::typical(4, 512 * MIB);
    let refusal = planned("failover_mem=2T@0x8000000", &machine).unwrap_err();
    assert_eq!(refusal.would_work, "at most 382M@0x8000000");
    let low = planned("failover_mem=2T@1M", &machine).unwrap_err();
    assert_eq!(low.would_work, "at most 428M");
}

#[test]
fn sizes_at_the_end_of_all_numbers_are_refused() {
    let machine = Machine::typical(4, 512 * MIB);
    for rest in [
        "pmem=0xffffffffffffffff failover_mem=64M@0x8000000",
        "journal_mem=16777215T failover_mem=16777215T@16777215T pmem=16777215T",
    ] {
        assert!(refused(rest, &machine).contains("would work"), "{rest}");
    }
}

#[test]
fn low_memory_is_never_given_out() {
    let mut machine = Machine::typical(2, 512 * MIB);
    let all = Region::sized(0, 512 * MIB, RegionKind::Usable);
    machine.memory_map = MemoryMap::new([all]);
    let plan = planned("", &machine).unwrap();
    assert_eq!(plan.primary.ranges[1], Range::new(2 * MIB, 48 * MIB));
}

#[test]
fn what_is_too_small_and_what_is_not_built_is_refused() {
    let machine = Machine::typical(4, 512 * MIB);
    assert_eq!(
        refused("failover_mem=1M@0x8000000", &machine),
        "failover_mem=1M@0x8000000: a backup takes at least 16M; at least 16M@0x8000000 would work"
    );
    assert_eq!(
        refused("journal_mem=4K", &machine),
        "journal_mem=4K: a journal has at least 1M; at least 1M would work"
    );
    assert!(planned("failover_rearm=auto", &machine).is_ok());
    let mixed = Machine {
        kinds: Kinds {
            primary: &LINUX,
            backup: &NATIVE,
        },
        ..machine.clone()
    };
    assert_eq!(
        refused("failover_rearm=auto", &mixed),
        "failover_rearm=auto: a Linux and a native instance cannot be loaded beside each other while one of them \
         runs; manual would work"
    );
    let both = refused("failover_mem=1T journal_mem=1T", &machine);
    assert!(
        both.ends_with("; 16M together with journal_mem=444M would work"),
        "{both}"
    );
}

#[test]
fn the_least_machine_that_is_named_is_enough() {
    assert!(
        planned(
            "failover_mem=16M journal_mem=1M",
            &Machine::typical(2, 128 * MIB)
        )
        .is_ok()
    );
}

#[test]
fn memory_in_many_pieces_is_given_out_as_far_as_the_hand_off_has_room() {
    let mut machine = Machine::typical(2, 1024 * MIB);
    machine.occupied = (0..12)
        .map(|n| {
            (
                Range::new((200 + n * 10) * MIB, (202 + n * 10) * MIB),
                "hole",
            )
        })
        .collect();
    let plan = planned("", &machine).unwrap();
    assert_eq!(plan.primary.ranges.len(), RANGES_MAX);
    assert!(!plan.left_over.is_empty());
    let smallest = plan.primary.ranges.iter().map(Range::len).min();
    assert!(plan.left_over.iter().map(Range::len).max() <= smallest);
    assert!(plan.to_string().contains("more than 8 pieces of memory"));
    let many = planned("", &Machine::typical(40, 1024 * MIB))
        .unwrap()
        .to_string();
    assert!(many.contains("nobody   32-39  -"), "{many}");
}

/// Replaces the options that a refusal speaks of by what it says would work; false if nothing would.
fn follow(given: &mut Vec<(String, String)>, refusal: &Refusal) -> bool {
    let text = &refusal.would_work;
    if text.contains("a machine") {
        return false;
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
        .chain(&plan.parked)
        .map(|cpu| cpu.number)
        .collect();
    numbers.sort();
    prop_assert!(
        numbers.iter().copied().eq(0..machine.cpus.len() as u32),
        "each CPU has one owner"
    );
    prop_assert!(plan.seat.number == 0 && !plan.primary.cpus.is_empty());
    prop_assert!(plan.primary.cpus.len() + plan.backup.cpus.len() < MAX_CORES);
    prop_assert!(
        plan.backup
            .cpus
            .iter()
            .all(|cpu| plan.options.failover_cpus.contains(cpu.number))
    );
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
        0u32..40,
        prop_oneof![wild, typical],
        proptest::collection::vec(occupied, 0..4),
    )
        .prop_map(|(cpus, memory_map, occupied)| Machine {
            cpus: (0..cpus).map(ApicId).collect(),
            memory_map,
            occupied,
            kinds: Kinds::default(),
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
    (
        option(backup.boxed()),
        option(mib().prop_map(|mib| format!("{mib}M")).boxed()),
        option(cpus.boxed()),
    )
        .prop_map(|(backup, journal, cpus)| {
            [
                ("failover_mem", backup),
                ("journal_mem", journal),
                ("failover_cpus", cpus),
            ]
            .into_iter()
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
        for _ in 0..4 {
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
        given.retain(|(name, _)| name != "failover_cpus");
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
