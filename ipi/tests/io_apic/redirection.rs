//! Entries of the table: every bit is decoded, and none is lost.

use ipi::{Delivery, DestinationMode, Polarity, Redirection, Trigger};
use proptest::prelude::*;

use crate::fake::RESERVED;

fn delivery_code(delivery: Delivery) -> u64 {
    match delivery {
        Delivery::Fixed => 0,
        Delivery::LowestPriority => 1,
        Delivery::Smi => 2,
        Delivery::Nmi => 4,
        Delivery::Init => 5,
        Delivery::ExtInt => 7,
        Delivery::Reserved(code) => {
            assert!(matches!(code, 3 | 6), "code {code} has a meaning");
            code.into()
        }
    }
}

/// Encodes the entry again from its decoded fields (82093AA, 3.2.4).
fn encode(entry: Redirection) -> u64 {
    u64::from(entry.vector())
        | delivery_code(entry.delivery()) << 8
        | u64::from(entry.destination_mode() == DestinationMode::Logical) << 11
        | u64::from(entry.is_send_pending()) << 12
        | u64::from(entry.polarity() == Polarity::ActiveLow) << 13
        | u64::from(entry.remote_irr()) << 14
        | u64::from(entry.trigger() == Trigger::Level) << 15
        | u64::from(entry.is_masked()) << 16
        | u64::from(entry.destination()) << 56
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_is_lost_on_the_way_round(raw: u64) {
        let entry = Redirection::from_raw(raw);
        prop_assert_eq!(entry.raw(), raw);
        prop_assert_eq!(encode(entry), raw & !RESERVED);
    }

    #[test]
    fn each_setter_sets_its_own_and_leaves_the_rest(raw: u64, flag: bool, destination: u8) {
        let entry = Redirection::from_raw(raw);
        let changed = [
            (entry.masked(flag), entry.masked(flag).is_masked() == flag, 1 << 16),
            (entry.level_triggered(flag), (entry.level_triggered(flag).trigger() == Trigger::Level) == flag, 1 << 15),
            (entry.active_low(flag), (entry.active_low(flag).polarity() == Polarity::ActiveLow) == flag, 1 << 13),
            (entry.to(destination), entry.to(destination).destination() == destination, 0xff << 56 | 1 << 11),
        ];
        for (new, is_set, own_bits) in changed {
            prop_assert!(is_set);
            prop_assert_eq!((new.raw() ^ raw) & !own_bits, 0);
        }
        prop_assert_eq!(entry.to(destination).destination_mode(), DestinationMode::Physical);
    }

    #[test]
    fn a_fixed_route_is_open_edge_high_and_physical(vector: u8, destination: u8) {
        let entry = Redirection::fixed(vector, destination);
        prop_assert_eq!(entry.raw(), u64::from(destination) << 56 | u64::from(vector));
    }

    #[test]
    fn any_entry_can_be_printed(raw: u64) {
        let text = format!("{:?}", Redirection::from_raw(raw));
        let number = format!("{raw:#018x}");
        prop_assert!(text.contains(&number));
    }
}
