//! Every kind of tenant is planned by what it says it can do: those there are, and one that only this file knows.

use partition::tenant::{Capabilities, Defaults, KINDS, KeepaliveDefault};
use partition::{Kind, Kinds, Machine, Options, Plan, plan};

const MIB: u64 = 1 << 20;

/// A kind as it might be added: in capabilities and defaults it resembles neither of the others.
static THIRD: Kind = Kind {
    name: "third",
    recognises: |bytes| bytes.starts_with(b"THIRD"),
    capabilities: Capabilities {
        reads_journal: false,
        boots_on_lent_core: false,
        lends_core: true,
        takes_keepalive_interrupts: false,
        drives_console: false,
        drives_screen: false,
        may_virtualize: false,
        resets_through_memory: false,
        needs_low_memory: true,
        needs_bar_sizes: false,
        accepts_upload: false,
        loads_below_4_gib: true,
        memory_block_bytes: Some(32 * MIB),
    },
    defaults: Defaults {
        backup_bytes: Some(24 * MIB),
        boot_timeout_ns: Some(7_000_000_000),
        keepalive: Some(KeepaliveDefault {
            per_timeout: 4,
            ns_max: 2_000_000,
        }),
    },
    bytes_below_4_gib: |_, _| 0,
    check: |check| Ok(format!("{}: third", check.image().kernel)),
};

fn kinds() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().copied().chain([&THIRD])
}

fn planned(kinds: Kinds, rest: &str) -> Plan {
    let line = format!("primary_kernel=/a failover_kernel=/b {rest}");
    let machine = Machine {
        kinds,
        ..Machine::typical(4, 1024 * MIB)
    };
    let refused = |refusal| panic!("{kinds:?}: {refusal}");
    plan(&Options::parse(&line).unwrap(), &machine).unwrap_or_else(refused)
}

#[test]
fn every_pair_of_kinds_is_planned_by_its_capabilities_and_defaults() {
    for primary in kinds() {
        for backup in kinds() {
            let kinds = Kinds { primary, backup };
            let plan = planned(kinds, "");
            for (instance, low) in plan.low.iter() {
                let kind = kinds.of_instance(instance);
                assert_eq!(
                    !low.is_empty(),
                    kind.capabilities.needs_low_memory,
                    "{kinds:?}"
                );
            }
            let waits = kinds.all(Capabilities::waits_in_slot);
            assert_eq!(plan.spare.is_some(), waits, "{kinds:?}");
            let slot = plan.backup.ranges[0];
            let bytes = backup.defaults.backup_bytes.unwrap_or(64 * MIB);
            assert_eq!(slot.len(), bytes, "{kinds:?}");
            if let Some(block_bytes) = backup.capabilities.memory_block_bytes {
                assert!(slot.start.is_multiple_of(block_bytes), "{kinds:?}: {slot}");
            }
        }
    }
}

#[test]
fn what_the_boot_line_says_goes_before_a_kinds_defaults() {
    for kind in kinds() {
        let kinds = Kinds {
            primary: kind,
            backup: kind,
        };
        let said = planned(
            kinds,
            "failover_mem=128M failover_boot_timeout=9s keepalive=3ms",
        );
        assert_eq!(said.backup.ranges[0].len(), 128 * MIB);
        assert_eq!(kind.boot_timeout_ns(&said.options), 9_000_000_000);
        assert_eq!(kind.keepalive_period_ns(&said.options), 3_000_000);
    }
    let options = planned(Kinds::default(), "failover_timeout=20ms").options;
    assert_eq!(THIRD.boot_timeout_ns(&options), 7_000_000_000);
    assert_eq!(THIRD.keepalive_period_ns(&options), 2_000_000);
}

#[test]
fn a_pair_is_rearmed_by_itself_if_each_can_get_ready_beside_the_other() {
    let line = "primary_kernel=/a failover_kernel=/b failover_rearm=auto";
    for primary in kinds() {
        for backup in kinds() {
            let kinds = Kinds { primary, backup };
            let machine = Machine {
                kinds,
                ..Machine::typical(4, 1024 * MIB)
            };
            let is_planned = plan(&Options::parse(line).unwrap(), &machine).is_ok();
            assert_eq!(is_planned, kinds.can_rearm(), "{kinds:?}");
        }
    }
}
