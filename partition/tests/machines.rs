//! Plans for the memory maps of machines as their users posted them, made anew in a few lines.

use partition::memory::{Region, RegionKind};
use partition::tenant::{LINUX, Needs};
use partition::{Kinds, Machine, MemoryMap, Options, Plan, Range, Refusal, plan};
use proptest::prelude::*;
use sharedmem::hand_off::RANGES_MAX;
use sharedmem::linux::POOL_RANGES_MAX;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

const PAIR: Kinds = Kinds {
    primary: &LINUX,
    backup: &LINUX,
};

/// Where both kernels with their initrds need 216 MiB below 4 GiB.
const NEEDS: Needs = Needs {
    primary_bytes: 216 * MIB,
    backup_bytes: 216 * MIB,
};

fn machine(regions: &[(u64, u64, u32)], needs: Needs) -> Machine {
    let regions = regions.iter().map(|(start, end, kind)| Region {
        range: Range::new(*start, *end),
        kind: RegionKind::from_e820(*kind),
    });
    Machine {
        cpus: Machine::typical(8, GIB).cpus,
        memory_map: MemoryMap::new(regions),
        occupied: vec![(Range::new(0x10_0000, 0x44_5000), "monitor")],
        kinds: PAIR,
        needs,
        ..Machine::default()
    }
}

/// Describes a server with 768 GiB: eight large pieces above 4 GiB, one per node, and less than 2 GiB below.
fn server() -> Vec<(u64, u64, u32)> {
    nodes(8)
}

/// Describes a server with so many nodes of 96 GiB.
fn nodes(count: u64) -> Vec<(u64, u64, u32)> {
    let nodes = (0..count).map(|node| {
        let start = if node == 0 { 4 * GIB } else { node * 96 * GIB };
        (start, (node + 1) * 96 * GIB - 2 * MIB, 1)
    });
    let below = [
        (0, 0x8_f000, 1),
        (0x10_0000, 0x59cc_d000, 1),
        (0x59cd_0000, 0x677c_f000, 1),
        (0x677c_f000, 0x9000_0000, 2),
    ];
    below.into_iter().chain(nodes).collect()
}

/// Describes a machine with NVDIMMs, by both of their numbers.
fn nvdimms() -> Vec<(u64, u64, u32)> {
    vec![
        (0, 0x9_a800, 1),
        (0x10_0000, 0x69f0_f000, 1),
        (0x69f0_f000, 0x9000_0000, 2),
        (4 * GIB, 50 * GIB, 1),
        (50 * GIB, 146 * GIB, 7),
        (146 * GIB, 178 * GIB, 12),
        (178 * GIB, 226 * GIB, 1),
    ]
}

fn planned(rest: &str, machine: &Machine) -> Result<Plan, Refusal> {
    let line = format!("primary_kernel=/boot/a failover_kernel=/boot/b {rest}");
    plan(&Options::parse(&line).unwrap(), machine)
}

fn low_bytes(ranges: &[Range]) -> u64 {
    let window = Range::new(16 * MIB, 4 * GIB);
    let low = ranges.iter().map(|range| range.intersection(window).len());
    low.max().unwrap_or(0)
}

#[test]
fn a_server_with_large_pieces_keeps_one_below_4_gib_for_the_primary() {
    for needs in [NEEDS, Needs::default()] {
        let plan = planned("", &machine(&server(), needs)).unwrap();
        assert!(
            plan.left_over.is_empty() && plan.primary.ranges.len() >= 9,
            "{plan}"
        );
        assert!(low_bytes(&plan.primary.ranges) >= GIB, "{plan}");
        // As much as the image needs, unless the operator says otherwise.
        let backup = plan.backup.ranges[0];
        assert!(backup.len() >= needs.backup_bytes && backup.end <= 4 * GIB);
    }
    let small = planned("failover_mem=126M", &machine(&server(), NEEDS)).unwrap_err();
    assert_eq!(
        small.to_string(),
        "failover_mem=126M: the image and its initrd take at least 216M; at least 216M would work"
    );
    assert!(planned("failover_mem=216M", &machine(&server(), NEEDS)).is_ok());
}

#[test]
fn a_linux_backup_above_4_gib_is_refused_with_the_largest_that_fits() {
    let machine = machine(&nvdimms(), NEEDS);
    let large = planned("failover_mem=2G", &machine).unwrap_err();
    let most = large.would_work.strip_prefix("at most ").unwrap();
    let plan = planned(&format!("failover_mem={most}"), &machine).unwrap();
    assert!(plan.backup.ranges[0].end <= 4 * GIB);
    assert!(low_bytes(&plan.primary.ranges) >= NEEDS.primary_bytes);

    let high = planned("failover_mem=1G@4G", &machine).unwrap_err();
    assert!(high.reason.contains("loaded below 4G"), "{high}");
    assert!(planned(&format!("failover_mem={}", high.would_work), &machine).is_ok());
}

#[test]
fn persistent_memory_is_told() {
    let text = planned("", &machine(&nvdimms(), NEEDS))
        .unwrap()
        .to_string();
    for row in [
        "0xc80000000-0x2480000000   98304M  persistent memory (E820 type 7): left alone",
        "0x2480000000-0x2c80000000  32768M  persistent memory (E820 type 12): left alone",
    ] {
        assert!(text.contains(row), "{text}");
    }
}

#[test]
fn of_a_server_with_many_nodes_no_memory_is_lost() {
    for count in [8, 32, 48] {
        let machine = machine(&nodes(count), NEEDS);
        let plan = planned("", &machine).unwrap();
        assert_eq!(
            (&plan.left_over, &plan.unreachable),
            (&vec![], &vec![]),
            "{plan}"
        );
        let given = plan.primary.ranges.iter().chain(&plan.backup.ranges);
        let given: u64 = given.chain([&plan.shared]).map(Range::len).sum();
        // What is below 16 MiB and between large pages is lost: some MiB of each piece.
        assert!(given + (64 + 4 * count) * MIB > machine.memory_map.usable().total_bytes());
        assert!(plan.pool().len() <= POOL_RANGES_MAX);
    }
}

#[test]
fn pieces_beyond_the_limit_are_named_with_their_size_and_the_pool_has_room() {
    let plan = planned("", &machine(&nodes(100), NEEDS)).unwrap();
    assert_eq!(plan.primary.ranges.len(), RANGES_MAX);
    assert!(plan.spare.is_some() && plan.pool().len() <= POOL_RANGES_MAX);
    let named = plan
        .to_string()
        .matches("more than 64 pieces of memory")
        .count();
    assert_eq!(named, plan.left_over.len());
    assert!(named > 30, "{plan}");
}

#[test]
fn memory_that_no_kernel_here_reaches_is_named() {
    let regions = [
        (0, 0x9_f000, 1),
        (MIB, 2 * GIB, 1),
        // Beyond the first 512 GiB and the first 4 TiB, with a hole before each.
        (600 * GIB, 700 * GIB, 1),
        (5 << 40, 6 << 40, 1),
        (63 << 40, 70 << 40, 1),
    ];
    let plan = planned("", &machine(&regions, NEEDS)).unwrap();
    for range in [
        (600 * GIB, 700 * GIB),
        (5 << 40, 6 << 40),
        (63 << 40, 64 << 40),
    ] {
        assert!(
            plan.primary.ranges.contains(&Range::new(range.0, range.1)),
            "{plan}"
        );
    }
    assert_eq!(plan.unreachable, [Range::new(64 << 40, 70 << 40)]);
    let row = "0x400000000000-0x460000000000  6291456M  above 64T: no kernel here reaches it";
    assert!(plan.to_string().contains(row), "{plan}");
}

/// Hundreds of small holes, each a page that the firmware keeps.
fn pieces() -> impl Strategy<Value = Vec<(u64, u64, u32)>> {
    let holes = proptest::collection::vec((1u64..0x8_0000, 1u64..4), 0..400);
    (holes, 200u64..3000, 0u64..9).prop_map(|(holes, low_mib, nodes)| {
        let holes = holes
            .into_iter()
            .map(|(page, pages)| (page * 4096, (page + pages) * 4096, 2));
        let nodes = (0..nodes).map(|node| ((4 + node * 4) * GIB, (7 + node * 4) * GIB, 1));
        let low = [(0, 0x9_f000, 1), (MIB, low_mib * MIB, 1)];
        low.into_iter().chain(holes).chain(nodes).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Checks that each refusal on such a machine names what then works, and that both images can be loaded.
    #[test]
    fn advice_works_on_maps_in_hundreds_of_pieces(
        regions in pieces(), primary in 0u64..200, backup in 0u64..200, given in proptest::option::of(16u64..600),
    ) {
        let needs = Needs { primary_bytes: primary * 2 * MIB, backup_bytes: backup * 2 * MIB };
        let machine = machine(&regions, needs);
        let mut rest = given.map_or(String::new(), |mib| format!("failover_mem={mib}M"));
        for _ in 0..4 {
            match planned(&rest, &machine) {
                Ok(plan) => {
                    prop_assert!(low_bytes(&plan.primary.ranges) >= needs.primary_bytes);
                    let backup = plan.backup.ranges[0];
                    prop_assert!(backup.len() >= needs.backup_bytes && backup.end <= 4 * GIB);
                    return Ok(());
                }
                Err(refusal) if refusal.would_work.contains("a machine") => return Ok(()),
                Err(refusal) if refusal.option == "primary_kernel" => return Ok(()),
                Err(refusal) => {
                    let value = refusal.would_work.trim_start_matches("at most ").trim_start_matches("at least ");
                    let value = value.replace(" together with", "");
                    rest = format!("{}={value} ", refusal.option);
                }
            }
        }
        prop_assert!(false, "refused again and again; at last {rest}");
    }
}
