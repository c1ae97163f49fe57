//! The plan, as its users see it: of ordinary machines, and what is refused.

use partition::acpi::iommu::{Iommus, ReservedMemory, Skipped, Unit, Vendor};
use partition::memory::{Region, RegionKind};
use partition::tenant::{LINUX, NATIVE};
use partition::{Kinds, Machine, MemoryMap, Options, Plan, Range, Refusal, plan};
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
keepalive 1ms, failover_timeout 10ms, failover_boot_timeout 5s, failover_rearm manual, failover_reset auto, \
failover_watchdog off
primary_kernel /boot/a, failover_kernel /boot/b, service redis:6379
";
    assert_eq!(
        plan.to_string().replace("  \n", "\n"),
        expected.replace("  \n", "\n")
    );
    assert_eq!(plan.journal(), Range::new(0x320_0000, 0x520_0000));
}

#[test]
fn the_plan_shows_the_iommus_and_what_the_firmware_reserves() {
    let mut machine = machine_with_boot(4, 512);
    machine.iommus = Iommus {
        units: vec![Unit {
            vendor: Vendor::Intel,
            segment: 1,
            registers: 0xfed9_0000,
        }],
        reserved: vec![ReservedMemory {
            segment: 0,
            range: Range::new(0x7d80_0000, 0x8000_0000),
        }],
        skipped: vec![Skipped {
            name: "ATSR",
            kind: 2,
            offset: 72,
        }],
    };
    let text = planned("", &machine).unwrap().to_string();
    for row in [
        "IOMMU    -      0xfed90000-0xfed91000    4K  VT-d, segment 1: its registers",
        "IOMMU    -      0x7d800000-0x80000000   40M  reserved: devices of segment 0 reach it always",
        "IOMMU    -      -                         -  entry ATSR (type 2) at byte 72: not used",
    ] {
        assert!(text.contains(row), "{text}");
    }
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
    machine.occupied = (0..80)
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
    assert!(plan.to_string().contains("more than 64 pieces of memory"));
    let many = planned("", &Machine::typical(520, 1024 * MIB))
        .unwrap()
        .to_string();
    assert!(many.contains("nobody   512-519  -"), "{many}");
}

/// Returns the plan's rows of slices, without the blanks between the columns.
fn slices(rest: &str, machine: &Machine) -> Vec<String> {
    let text = planned(rest, machine).unwrap().to_string();
    let rows = text.lines().filter(|line| line.starts_with("compute"));
    rows.map(|row| row.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

#[test]
fn a_slice_for_a_computation_moves_neither_journal_nor_backup_and_is_shown() {
    let machine = machine_with_boot(4, 8192);
    let bare = planned("", &machine).unwrap();
    let line = "compute=cg:/boot/cg,cpus=2-3,mem=3G compute=md:,cpus=1,mem=30M@0x20000000,stall=20ms \
                failover_cpus=0";
    let error = planned(line, &machine).unwrap_err();
    assert_eq!(
        error.to_string(),
        "compute=md:,cpus=1,mem=30M@0x20000000,stall=20ms: no CPU is left to the primary; to leave it out would work"
    );
    let machine = machine_with_boot(8, 8192);
    let plan = planned(line, &machine).unwrap();
    assert_eq!((plan.shared, &plan.backup), (bare.shared, &bare.backup));
    assert_eq!(
        slices(line, &machine),
        [
            "compute 2-3 0x100000000-0x1c0000000 3072M slice cg: /boot/cg, stall 1s",
            "compute 1 0x20000000-0x21e00000 30M slice md: loaded later, stall 20ms"
        ]
    );
    let cores: Vec<u32> = plan.primary.cpus.iter().map(|cpu| cpu.number).collect();
    assert_eq!(cores, [4, 5, 6, 7]);
    assert_eq!(
        plan.successor_cores(),
        cores,
        "no successor gets a slice's cores"
    );
    let is_own = |range: &Range| plan.compute.iter().any(|it| it.range.overlaps(*range));
    assert!(!plan.primary.ranges.iter().chain(&plan.pool()).any(is_own));
}

#[test]
fn a_slice_whose_cores_do_not_answer_is_shown_as_such() {
    let mut machine = machine_with_boot(4, 512);
    machine.silent = vec![2, 3];
    assert_eq!(
        slices("compute=cg:,cpus=2-3,mem=16M", &machine),
        [
            "compute - 0x9200000-0xa200000 16M slice cg: loaded later, stall 1s; warning: none of its CPUs answers"
        ]
    );
}

#[test]
fn a_slice_that_does_not_fit_is_refused_by_name_with_what_would_fit() {
    let machine = machine_with_boot(4, 512);
    let refused = |clauses: &str| {
        let text = refused(clauses, &machine);
        text.strip_prefix("compute=").unwrap_or(&text).to_owned()
    };
    for (clauses, expected) in [
        (
            "compute=a:,cpus=0-1,mem=16M",
            "a:,cpus=0-1,mem=16M: CPU 0 is the seat, on which the monitor stays; a:,cpus=1,mem=16M would work",
        ),
        (
            "compute=a:,cpus=3-4,mem=16M",
            "a:,cpus=3-4,mem=16M: the machine has 4 CPUs, 0 to 3; a:,cpus=3,mem=16M would work",
        ),
        (
            "failover_cpus=0,3 compute=a:,cpus=2-3,mem=16M",
            "a:,cpus=2-3,mem=16M: CPU 3 is the backup's (failover_cpus=); a:,cpus=2,mem=16M would work",
        ),
        (
            "compute=a:,cpus=2,mem=16M compute=b:,cpus=2,mem=16M",
            "b:,cpus=2,mem=16M: CPU 2 is that of the slice `a`; b:,cpus=1,mem=16M would work",
        ),
        (
            "compute=a:,cpus=1-3,mem=16M",
            "a:,cpus=1-3,mem=16M: no CPU is left to the primary; a:,cpus=1-2,mem=16M would work",
        ),
        (
            "compute=a:,cpus=2,mem=1M",
            "a:,cpus=2,mem=1M: a slice takes at least 8M; a:,cpus=2,mem=8M would work",
        ),
        (
            "compute=a:,cpus=2,mem=1G",
            "a:,cpus=2,mem=1G: beside primary, backup and journal, no piece of memory above 48M has so much room; \
             a:,cpus=2,mem=360M would work",
        ),
        (
            "compute=a:,cpus=2,mem=16M@0x10000001",
            "a:,cpus=2,mem=16M@0x10000001: 0x10000001 is no multiple of 2M; a:,cpus=2,mem=16M would work",
        ),
        (
            "compute=a:,cpus=2,mem=16M@1M",
            "a:,cpus=2,mem=16M@0x100000: 0x100000 is no multiple of 2M; a:,cpus=2,mem=16M would work",
        ),
        (
            "compute=a:,cpus=2,mem=16M@32M",
            "a:,cpus=2,mem=16M@0x2000000: memory below 0x3000000 does not outlive a reset of the platform; \
             a:,cpus=2,mem=16M would work",
        ),
        (
            "compute=a:,cpus=2,mem=64M@0x1e000000",
            "a:,cpus=2,mem=64M@0x1e000000: the boot archive is at 0x1fa00000-0x1ff00000; \
             a:,cpus=2,mem=26M@0x1e000000 would work",
        ),
        (
            "compute=a:,cpus=2,mem=64M@0x10000000 compute=b:,cpus=3,mem=16M@0x13000000",
            "b:,cpus=3,mem=16M@0x13000000: another slice has a part of 0x13000000-0x14000000; \
             b:,cpus=3,mem=16M would work",
        ),
        (
            "compute=a:,cpus=2,mem=200M@0x8000000 failover_mem=100M journal_mem=100M",
            "a:,cpus=2,mem=200M@0x8000000: too little memory is left in one piece for the primary, the backup or the \
             journal; a:,cpus=2,mem=176M@0x8000000 would work",
        ),
    ] {
        assert_eq!(refused(clauses), expected, "{clauses}");
    }
}
