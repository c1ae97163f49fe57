//! The walk and the quieting, against machines that are large, looped, lying or dying.

mod resets;

use std::vec;
use std::vec::Vec;

use super::config::{COMMAND_INTX_DISABLE, ConfigSpace, REGISTER_BUSES, REGISTER_COMMAND};
use super::fake::Fake;
use super::quiet::{FaultKind, PENDING_LIMIT_NS, Quieted};
use super::reset::ResetPolicy;
use super::tree::{BusRange, FUNCTIONS_MAX, Tree};

const SEGMENT_1: BusRange = BusRange {
    segment: 1,
    first: 0,
    last: 0x1f,
};

/// Enough for the switch, and quick to walk over.
const FEW_BUSES: BusRange = BusRange {
    segment: 0,
    first: 0,
    last: 4,
};

fn find(fake: &mut Fake) -> Tree {
    Tree::find(fake, vec![BusRange::SEGMENT_0, SEGMENT_1])
}

fn addresses(tree: &Tree) -> Vec<u32> {
    tree.in_order().iter().map(|node| node.address()).collect()
}

/// Makes the functions quiet, with a clock that goes on by 1 us a look.
fn quiet(tree: &mut Tree, fake: &mut Fake) -> Quieted {
    let mut now_ns = 0;
    tree.quiet(fake, ResetPolicy::Faulty, || {
        now_ns += 1000;
        now_ns
    })
}

/// Returns the faults, as address, kind, and bridge at which it was cut off.
fn faults(quieted: &Quieted) -> Vec<(u32, FaultKind, Option<u32>)> {
    let faults = quieted.faults.iter();
    faults.map(|it| (it.address, it.kind, it.cut_at)).collect()
}

/// Makes a machine with a card on the root bus at 0x08, and two behind a switch: root port 0x10, up 0x100, down 0x200
/// and 0x208, cards 0x300 and 0x400.
fn switch() -> Fake {
    let mut fake = Fake::default();
    fake.function(0, 0x06_0000, 0);
    fake.set(0, REGISTER_COMMAND, 7);
    fake.card(0x08);
    fake.port(0x10, 1);
    fake.bridge(0x100, 2);
    fake.port(0x200, 3);
    fake.port(0x208, 4);
    fake.card(0x300);
    fake.card(0x400);
    fake
}

#[test]
fn bridges_other_roots_and_other_segments_are_walked() {
    let mut fake = switch();
    fake.function(0x18, 0x02_0000, 0x80);
    fake.function(0x1b, 0x01_0000, 0);
    fake.bridge(0x4000, 0x41);
    fake.card(0x41f8);
    fake.card(0x1_0800);
    let tree = find(&mut fake);
    let mut found = addresses(&tree);
    found.sort_unstable();
    let expected = [
        0, 0x08, 0x10, 0x18, 0x1b, 0x100, 0x200, 0x208, 0x300, 0x400, 0x4000, 0x41f8, 0x1_0800,
    ];
    assert_eq!(found, expected);
    assert_eq!(tree.roots(), [0, 0x40, 0x108]);
}

#[test]
fn bridges_that_form_a_circle_and_buses_out_of_range_end_the_walk() {
    let mut fake = Fake::default();
    fake.bridge(0x10, 2);
    fake.bridge(0x200, 3);
    fake.bridge(0x300, 2);
    fake.bridge(0x308, 0);
    fake.bridge(0x1_0010, 0x20);
    let tree = find(&mut fake);
    assert_eq!(addresses(&tree), [0x10, 0x200, 0x300, 0x308, 0x1_0010]);
    let node = tree.get(0x308).unwrap();
    assert_eq!(tree.bridges_above(node).collect::<Vec<_>>(), [0x200, 0x10]);
}

#[test]
fn a_device_with_more_than_eight_functions_is_found_where_its_port_forwards_them() {
    let mut fake = switch();
    for function in [0_u32, 3, 0x29] {
        fake.card(0x300 | function);
        let next = match function {
            0 => 3,
            3 => 0x29,
            // A circle.
            _ => 3,
        };
        fake.set(0x300 | function, 0x100, 0x0001_000e);
        fake.set(0x300 | function, 0x104, next << 8);
    }
    assert!(!addresses(&find(&mut fake)).contains(&0x329));
    fake.set(0x200, 0x68, 1 << 5);
    let found = addresses(&find(&mut fake));
    assert!(
        [0x303, 0x329].iter().all(|it| found.contains(it)),
        "{found:x?}"
    );
}

#[test]
fn there_is_room_for_4096_functions_and_what_is_beyond_is_counted() {
    let mut fake = Fake::default();
    for bus in 0..(FUNCTIONS_MAX as u32 / 256) {
        for function in 0..256 {
            fake.function(bus << 8 | function, 0x02_0000, 0x80);
        }
    }
    let mut tree = find(&mut fake);
    assert_eq!((tree.nodes.len(), tree.left_out()), (FUNCTIONS_MAX, 0));
    fake.accesses = 0;
    assert!(quiet(&mut tree, &mut fake).is_complete());
    // Five accesses a function bound the time of a takeover with thousands.
    assert!(
        fake.accesses <= 5 * FUNCTIONS_MAX as u32,
        "{}",
        fake.accesses
    );
    fake.card(0x2000);
    fake.card(0x2008);
    assert_eq!(find(&mut fake).left_out(), 2);
    let mut tree = Tree::find(
        &mut fake,
        vec![BusRange {
            segment: 0,
            first: 0,
            last: 0x10,
        }],
    );
    fake.bridge(0xfff, 0x10);
    fake.set(0xfff, 0, 0x000e_1b36);
    fake.card(0x1000);
    let quieted = quiet(&mut tree, &mut fake);
    assert_eq!((quieted.left_out, quieted.is_complete()), (1, false));
}

#[test]
fn a_quiet_machine_neither_writes_nor_interrupts_and_its_bridges_go_on() {
    let mut fake = switch();
    let mut tree = find(&mut fake);
    let quieted = quiet(&mut tree, &mut fake);
    assert!(quieted.is_complete() && quieted.faults.is_empty() && quieted.withheld.is_empty());
    for card in [0x08, 0x300, 0x400] {
        let command = fake.read(card, REGISTER_COMMAND);
        assert_eq!(command & (4 | COMMAND_INTX_DISABLE), COMMAND_INTX_DISABLE);
        assert_eq!(fake.read(card, 0x40) >> 31, 0);
        assert_eq!(fake.read(card, 0x50) >> 16 & 1, 0);
    }
    for bridge in [0, 0x10, 0x100, 0x200, 0x208] {
        assert!(fake.masters(bridge), "{bridge:#x}");
    }
}

#[test]
fn what_was_plugged_since_boot_is_made_quiet_too() {
    let mut fake = switch();
    fake.remove(0x400);
    let mut tree = find(&mut fake);
    fake.card(0x400);
    fake.card(0x18);
    let quieted = quiet(&mut tree, &mut fake);
    assert_eq!(quieted.added, [0x18, 0x400]);
    assert!(quieted.is_complete() && !fake.masters(0x18) && !fake.masters(0x400));
    assert!(quiet(&mut tree, &mut fake).added.is_empty());
}

#[test]
fn a_function_that_was_taken_away_is_cut_off_and_refuses_nothing() {
    let mut fake = switch();
    fake.function(0x18, 0x02_0000, 0);
    let mut tree = find(&mut fake);
    fake.remove(0x300);
    fake.remove(0x18);
    let quieted = quiet(&mut tree, &mut fake);
    let expected = [
        (0x18, FaultKind::Silent, None),
        (0x300, FaultKind::Silent, Some(0x200)),
    ];
    assert_eq!(faults(&quieted), expected);
    assert!(quieted.is_complete());
    assert!(!fake.masters(0x200) && fake.masters(0x10) && fake.masters(0x208));
    let withheld: Vec<u32> = withheld(&tree, &quieted);
    assert_eq!(withheld, [0x18, 0x200, 0x300]);
}

fn withheld(tree: &Tree, quieted: &Quieted) -> Vec<u32> {
    let nodes = tree.nodes.iter();
    let withheld = nodes.filter(|node| quieted.withheld.contains(&node.number));
    withheld.map(|node| node.address()).collect()
}

#[test]
fn what_is_built_in_and_silent_or_stubborn_on_a_root_bus_is_a_refusal() {
    let mut fake = switch();
    let mut tree = find(&mut fake);
    fake.dies_after.insert(0x08, 0);
    let quieted = quiet(&mut tree, &mut fake);
    assert_eq!(faults(&quieted), [(0x08, FaultKind::Silent, None)]);
    assert!(!quieted.is_complete());
    let mut fake = switch();
    let mut tree = find(&mut fake);
    fake.stubborn.insert(0x08);
    let quieted = quiet(&mut tree, &mut fake);
    assert_eq!(faults(&quieted), [(0x08, FaultKind::Disobeys, None)]);
    assert!(!quieted.is_complete());
}

#[test]
fn a_function_that_does_not_obey_is_cut_off_at_the_nearest_bridge_that_does() {
    let mut fake = switch();
    let mut tree = find(&mut fake);
    fake.stubborn.extend([0x300, 0x200]);
    let quieted = quiet(&mut tree, &mut fake);
    assert_eq!(
        faults(&quieted),
        [(0x300, FaultKind::Disobeys, Some(0x100))]
    );
    assert!(quieted.is_complete());
    assert!(!fake.masters(0x100));
    assert_eq!(fake.read(0x300, REGISTER_COMMAND) & 3, 0);
    assert_eq!(
        withheld(&tree, &quieted),
        [0x100, 0x200, 0x208, 0x300, 0x400]
    );
}

#[test]
fn a_pending_transaction_is_waited_for_by_all_at_once_and_not_for_ever() {
    let mut fake = switch();
    let mut tree = find(&mut fake);
    fake.pending
        .extend([((0x300, 0x68), 3), ((0x400, 0x68), 5)]);
    assert!(quiet(&mut tree, &mut fake).faults.is_empty());
    fake.pending.insert((0x300, 0x68), u32::MAX);
    let mut looks = 0;
    let quieted = tree.quiet(&mut fake, ResetPolicy::Faulty, || {
        looks += 1;
        looks * 1_000_000
    });
    assert_eq!(faults(&quieted), [(0x300, FaultKind::Pending, None)]);
    assert!(quieted.is_complete() && quieted.withheld.is_empty());
    assert!(looks * 1_000_000 <= PENDING_LIMIT_NS + 2_000_000, "{looks}");
}

#[test]
fn virtual_functions_are_stopped_and_switched_off_with_their_own_bits() {
    let mut fake = switch();
    fake.set(0x300, 0x100, 0x0001_0010);
    fake.set(0x300, 0x108, 0b1001);
    fake.set(0x300, 0x10c, 0x0003_0003);
    // It says that it has thousands.
    fake.set(0x300, 0x110, 0xffff);
    fake.set(0x300, 0x114, 0x0002_0001);
    for virtual_function in [0x301, 0x303, 0x305] {
        fake.set(virtual_function, 0, u32::MAX);
        fake.set(virtual_function, REGISTER_COMMAND, 4);
    }
    let mut tree = find(&mut fake);
    assert!(quiet(&mut tree, &mut fake).is_complete());
    for virtual_function in [0x301, 0x303, 0x305] {
        assert!(!fake.masters(virtual_function), "{virtual_function:#x}");
    }
    assert_eq!(fake.read(0x300, 0x108), 0);
}

#[test]
fn a_function_that_sleeps_is_woken_with_its_addresses() {
    let mut fake = switch();
    fake.set(0x300, 0x60, 0x0002_0000 | 0x70 << 8 | 0x10);
    fake.set(0x300, 0x70, 1);
    fake.set(0x300, 0x74, 3);
    fake.set(0x300, 0x10, 0xfe00_0000);
    let mut tree = find(&mut fake);
    let mut looks = 0;
    tree.quiet(&mut fake, ResetPolicy::Faulty, || {
        looks += 1;
        looks * 1_000_000
    });
    assert!(looks >= 10);
    assert_eq!(
        (fake.read(0x300, 0x74), fake.read(0x300, 0x10)),
        (0, 0xfe00_0000)
    );
    looks = 0;
    tree.quiet(&mut fake, ResetPolicy::Faulty, || {
        looks += 1;
        looks
    });
    assert_eq!(looks, 0, "nobody sleeps and nothing is pending");
}

#[test]
fn a_bridge_whose_bus_numbers_were_overwritten_hides_nothing() {
    let mut fake = switch();
    let mut tree = find(&mut fake);
    fake.set(0x10, REGISTER_BUSES, 0);
    let quieted = quiet(&mut tree, &mut fake);
    assert!(quieted.is_complete() && quieted.faults.is_empty());
    assert!(!fake.masters(0x300) && !fake.masters(0x400));
}

/// Kills a function of the switch at each access in turn, makes some stubborn, and checks that nobody reaches memory if
/// the tree says so.
#[test]
fn whatever_dies_in_the_middle_a_complete_quieting_is_true() {
    let all = [0x08, 0x10, 0x100, 0x200, 0x208, 0x300, 0x400];
    let above = |address: u32| match address {
        0x100 => Some(0x10),
        0x200 | 0x208 => Some(0x100),
        0x300 => Some(0x200),
        0x400 => Some(0x208),
        _ => None,
    };
    for dying in all {
        for after in 0..16 {
            for stubborn in 0..1 << all.len() {
                let mut fake = switch();
                let mut tree = Tree::find(&mut fake, vec![FEW_BUSES]);
                fake.dies_after.insert(dying, after);
                let is_stubborn = |index: &usize| stubborn >> index & 1 != 0;
                let stubborn = (0..all.len()).filter(is_stubborn).map(|index| all[index]);
                fake.stubborn.extend(stubborn.clone());
                // Half of the machines ignore resets and sleep, too.
                if after % 2 == 0 {
                    fake.deaf.extend(stubborn);
                }
                let quieted = quiet(&mut tree, &mut fake);
                let forwards = |address: u32| {
                    let chain = core::iter::successors(Some(address), |it| above(*it));
                    // What died keeps the bit that it had.
                    let mut chain = chain.map(|it| fake.masters(it));
                    chain.all(|forwards| forwards)
                };
                let cards = [0x08, 0x300, 0x400];
                if quieted.is_complete() {
                    let loud: Vec<u32> = cards.into_iter().filter(|it| forwards(*it)).collect();
                    assert!(
                        loud.is_empty(),
                        "{loud:x?}, {dying:#x} after {after}: {quieted:x?}"
                    );
                }
            }
        }
    }
}
