//! Functions that do not obey: they are reset, held in reset, or put to sleep.

use std::vec::Vec;

use super::super::config::{
    COMMAND_INTX_DISABLE, ConfigSpace, REGISTER_COMMAND, STATUS_CAPABILITIES,
};
use super::super::isolate::CutBy;
use super::super::quiet::{FaultKind, PENDING_LIMIT_NS};
use super::super::reset::{RESET_LIMIT_NS, RESET_NS, ResetMethod, ResetPolicy};
use super::{faults, find, quiet, switch, withheld};

#[test]
fn a_bridge_that_forwards_whatever_it_is_told_holds_what_is_behind_it_in_reset() {
    let mut fake = switch();
    let mut tree = find(&mut fake);
    fake.stubborn.extend([0x300, 0x200, 0x100, 0x10]);
    let quieted = quiet(&mut tree, &mut fake);
    let fault = quieted.faults[0];
    assert_eq!(
        (fault.cut_at, fault.cut_by),
        (Some(0x200), Some(CutBy::Reset))
    );
    assert!(quieted.is_complete());
    assert_eq!(withheld(&tree, &quieted), [0x200, 0x300]);
    // The next time nobody answers behind it, and it still holds.
    fake.dies_after.insert(0x300, 0);
    assert!(quiet(&mut tree, &mut fake).is_complete());
    fake.deaf.extend([0x200, 0x100, 0x10]);
    fake.set(0x200, 0x3c, 0);
    assert!(!quiet(&mut tree, &mut fake).is_complete());
}

#[test]
fn a_function_on_a_root_bus_that_does_not_obey_is_reset_or_put_to_sleep() {
    let mut fake = switch();
    fake.resettable(0x08, 3);
    let mut tree = find(&mut fake);
    fake.set(0x08, 0x10, 0xfe00_0000);
    fake.set(0x08, 0x68, 0x2050);
    // It obeys again after the reset.
    fake.obeys_after_reset.insert(0x08);
    fake.stubborn.insert(0x08);
    let quieted = quiet(&mut tree, &mut fake);
    assert_eq!(faults(&quieted), []);
    let reset = quieted.resets[0];
    assert_eq!((reset.address, quieted.resets.len()), (0x08, 1));
    assert!(reset.took_ns.unwrap() >= RESET_NS, "{reset:?}");
    let kept = [0x10, 0x68].map(|register| fake.read(0x08, register));
    assert_eq!(kept, [0xfe00_0000, 0x2050]);
    assert!(!fake.masters(0x08));

    let mut fake = switch();
    fake.sleeper(0x08);
    let mut tree = find(&mut fake);
    fake.stubborn.insert(0x08);
    let quieted = quiet(&mut tree, &mut fake);
    assert_eq!(quieted.faults[0].cut_by, Some(CutBy::Sleep));
    assert!(quieted.is_complete() && !fake.masters(0x08));
    assert_eq!(withheld(&tree, &quieted), [0x08]);
    // It is not woken for a driver the next time.
    assert!(quiet(&mut tree, &mut fake).is_complete() && !fake.masters(0x08));
}

#[test]
fn a_function_that_hangs_in_its_reset_is_cut_off_and_not_waited_for_any_longer() {
    let mut fake = switch();
    fake.resettable(0x300, u32::MAX);
    fake.resettable(0x400, 4);
    let mut tree = find(&mut fake);
    fake.pending.insert((0x300, 0x68), u32::MAX);
    fake.pending.insert((0x400, 0x68), u32::MAX);
    let mut now_ns = 0;
    let quieted = tree.quiet(&mut fake, ResetPolicy::Faulty, || {
        now_ns += 1_000_000;
        now_ns
    });
    assert_eq!(faults(&quieted), [(0x300, FaultKind::Hangs, Some(0x200))]);
    assert!(quieted.is_complete());
    assert!(
        now_ns <= PENDING_LIMIT_NS + RESET_LIMIT_NS + 10_000_000,
        "{now_ns}"
    );
    let took: Vec<(u32, bool)> = quieted
        .resets
        .iter()
        .map(|it| (it.address, it.took_ns.is_some()))
        .collect();
    assert_eq!(took, [(0x400, true), (0x300, false)]);
    assert!(!fake.masters(0x400));
}

#[test]
fn all_are_reset_at_once_if_it_is_wanted_and_nobody_otherwise() {
    let mut fake = switch();
    for card in [0x08, 0x300, 0x400] {
        fake.resettable(card, 1);
        fake.set(card, 0x10, card << 16);
        fake.set(card, REGISTER_COMMAND, STATUS_CAPABILITIES | 7);
    }
    fake.function(0x18, 0x02_0000, 0);
    let mut tree = find(&mut fake);
    assert_eq!(quiet(&mut tree, &mut fake).resets, []);
    let mut now_ns = 0;
    let quieted = tree.quiet(&mut fake, ResetPolicy::All, || {
        now_ns += 1_000_000;
        now_ns
    });
    assert_eq!(quieted.resets.len(), 3);
    assert!(now_ns < 2 * RESET_NS, "{now_ns}");
    assert!(quieted.faults.is_empty() && quieted.withheld.is_empty());
    for card in [0x08, 0x300, 0x400] {
        assert_eq!(fake.read(card, 0x10), card << 16);
        let command = fake.read(card, REGISTER_COMMAND);
        assert_eq!(command & 0x407, COMMAND_INTX_DISABLE);
    }
}

#[test]
fn advanced_features_of_conventional_pci_reset_as_well() {
    let mut fake = switch();
    fake.function(0x18, 0x02_0000, 0);
    fake.set(0x18, REGISTER_COMMAND, STATUS_CAPABILITIES);
    fake.set(0x18, 0x34, 0x40);
    for (header, reset) in [
        (0x0306_0013, Some(ResetMethod::Advanced(0x40))),
        (0x0106_0013, None),
    ] {
        fake.set(0x18, 0x40, header);
        let tree = find(&mut fake);
        assert_eq!(tree.get(0x18).unwrap().reset, reset);
    }
    fake.set(0x18, 0x40, 0x0306_0013);
    let mut tree = find(&mut fake);
    let quieted = tree.quiet(&mut fake, ResetPolicy::All, clock());
    assert_eq!(quieted.resets.len(), 1);
    assert_eq!(fake.read(0x18, 0x44), 1, "the order was given");
}

/// Makes a clock that goes on by 1 ms a look.
fn clock() -> impl FnMut() -> u64 {
    let mut now_ns = 0;
    move || {
        now_ns += 1_000_000;
        now_ns
    }
}
