//! The numbers under which an IOMMU knows what functions send.

use alloc::vec::Vec;

use super::node::Node;
use super::quiet::Quieted;
use super::tree::Tree;

impl Tree {
    /// Returns under which numbers requests arrive of functions that nobody may use, with their segments in bits
    /// 31..16.
    ///
    /// These are their own addresses. A bridge to conventional PCI puts its own address, or the first one of the bus
    /// behind it, in their place (PCI Express to PCI Bridge 1.0, 2.3): so for a function that still reaches memory
    /// these are named too, and its neighbours behind the bridge share its fate.
    pub fn requesters(&self, quieted: &Quieted) -> Vec<u32> {
        let node = |is_it: &dyn Fn(&Node) -> bool| self.nodes.iter().find(|node| is_it(node));
        let withheld = quieted.withheld.iter();
        let withheld = withheld.filter_map(|number| node(&|node| node.number == *number));
        let mut ids: Vec<u32> = withheld.map(Node::address).collect();
        for fault in quieted.faults.iter().filter(|fault| !fault.is_contained) {
            let mut at = fault.address;
            ids.push(at);
            let Some(faulty) = node(&|node| node.address() == at) else {
                continue;
            };
            for bridge in self.bridges_above(faulty) {
                let is_port =
                    node(&|node| node.address() == bridge).is_some_and(Node::is_single_port);
                if !is_port {
                    ids.extend([at & !0xff, bridge]);
                }
                at = bridge;
            }
        }
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;
    use crate::pci::fake::Fake;
    use crate::pci::tree::BusRange;
    use crate::pci::{Fault, FaultKind, ResetPolicy};

    /// Makes a bridge to conventional PCI behind a root port, with a card behind it, and a neighbour on the root bus.
    fn machine() -> Fake {
        let mut fake = Fake::default();
        fake.card(0x08);
        fake.port(0x10, 1);
        fake.bridge(0x100, 2);
        fake.card(0x208);
        fake
    }

    fn requesters(stubborn: &[u32]) -> Vec<u32> {
        let mut fake = machine();
        let mut tree = Tree::find(&mut fake, vec![BusRange::SEGMENT_0]);
        fake.stubborn.extend(stubborn);
        let quieted = tree.quiet(&mut fake, ResetPolicy::default(), || u64::MAX);
        tree.requesters(&quieted)
    }

    #[test]
    fn a_sound_machine_has_nobody_to_bar() {
        assert_eq!(requesters(&[]), []);
    }

    #[test]
    fn a_function_on_the_root_bus_is_barred_by_its_own_number() {
        assert_eq!(requesters(&[0x08]), [0x08]);
    }

    #[test]
    fn what_still_reaches_memory_behind_a_bridge_is_barred_by_the_bridges_numbers_too() {
        assert_eq!(requesters(&[0x208]), [0x100, 0x208], "it is cut off");
        let mut fake = machine();
        let tree = Tree::find(&mut fake, vec![BusRange::SEGMENT_0]);
        let fault = Fault {
            address: 0x208,
            kind: FaultKind::Disobeys,
            cut_at: None,
            cut_by: None,
            is_contained: false,
        };
        let quieted = Quieted {
            faults: vec![fault],
            ..Quieted::default()
        };
        assert_eq!(tree.requesters(&quieted), [0x100, 0x200, 0x208]);
    }
}
