//! How a function that is not as it should be is cut off from memory, and what is withheld from the new owner with it.
//!
//! The mildest means first: the nearest bridge above that stops to forward; then the nearest that holds what is behind
//! it in reset; then the function itself, by sending it to sleep.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::config::{
    COMMAND_BUS_MASTER, COMMAND_IO, COMMAND_MEMORY, ConfigSpace, REGISTER_COMMAND, clear_command,
};
use super::node::{Node, identity};
use super::quiet::{Fault, FaultKind};
use super::tree::Tree;
use super::wake;

/// Of a bridge: Bridge Control, in the upper half, and its bit: what is behind is held in reset (PCI-to-PCI Bridge 1.2,
/// 3.2.5.18).
const REGISTER_BRIDGE_CONTROL: u16 = 0x3c;
const SECONDARY_RESET: u32 = 1 << 22;

/// By what a function was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutBy {
    /// A bridge forwards nothing upwards.
    Mastering,
    /// A bridge holds what is behind it in reset.
    Reset,
    /// The function sleeps.
    Sleep,
}

impl CutBy {
    /// Returns its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mastering => "bus-mastering",
            Self::Reset => "secondary-reset",
            Self::Sleep => "d3hot",
        }
    }
}

impl Tree {
    /// Cuts each fault off. Those that have `fallen` had obeyed before.
    pub(super) fn cut_off(
        &self,
        space: &mut impl ConfigSpace,
        faults: &BTreeMap<u32, FaultKind>,
        fallen: &[u32],
    ) -> Vec<Fault> {
        let faults = faults.iter();
        let faults = faults.filter_map(|(address, kind)| Some((self.get(*address)?, *kind)));
        let cut_off = |(node, kind): (&Node, FaultKind)| {
            let address = node.address();
            let (cut_at, cut_by) = match kind {
                FaultKind::Pending => (None, None),
                _ => self.cut_one_off(space, node, kind),
            };
            let is_contained = cut_by.is_some()
                || fallen.contains(&address)
                || match kind {
                    FaultKind::Pending => true,
                    // Nothing is left where something may be taken away.
                    FaultKind::Silent => node.may_be_removed() && !self.hangs(space, node),
                    FaultKind::Disobeys | FaultKind::Hangs => false,
                };
            Fault {
                address,
                kind,
                cut_at,
                cut_by,
                is_contained,
            }
        };
        faults.map(cut_off).collect()
    }

    /// Cuts a function off. Returns the bridge at which it was, and by what.
    fn cut_one_off(
        &self,
        space: &mut impl ConfigSpace,
        node: &Node,
        kind: FaultKind,
    ) -> (Option<u32>, Option<CutBy>) {
        if kind == FaultKind::Disobeys {
            clear_command(space, node.address(), COMMAND_IO | COMMAND_MEMORY);
        }
        if let Some(bridge) = self.bridges_above(node).find(|it| is_stopped(space, *it)) {
            return (Some(bridge), Some(CutBy::Mastering));
        }
        if let Some(bridge) = self
            .bridges_above(node)
            .find(|it| hold_in_reset(space, *it))
        {
            return (Some(bridge), Some(CutBy::Reset));
        }
        let is_asleep = kind == FaultKind::Disobeys && wake::put_to_sleep(space, node);
        (None, is_asleep.then_some(CutBy::Sleep))
    }

    /// Returns whether a function is behind bridges of which one answers but none cuts it off.
    fn hangs(&self, space: &mut impl ConfigSpace, node: &Node) -> bool {
        self.bridges_above(node)
            .any(|bridge| identity(space, bridge).is_some())
    }

    /// Returns the numbers of the functions that nobody may use.
    pub(super) fn withheld(&self, faults: &[Fault], cuts: &[u32]) -> Vec<u32> {
        if faults.is_empty() {
            return Vec::new();
        }
        let is_faulty = |node: &Node| {
            let is_it = |fault: &Fault| fault.address == node.address();
            let fault = faults.iter().find(|fault| is_it(fault));
            fault.is_some_and(|fault| fault.kind != FaultKind::Pending)
        };
        let is_cut = |node: &Node| {
            let mut chain = [node.address()].into_iter().chain(self.bridges_above(node));
            chain.any(|it| cuts.contains(&it))
        };
        let withheld = self
            .nodes
            .iter()
            .filter(|node| is_cut(node) || is_faulty(node));
        withheld.map(|node| node.number).collect()
    }
}

/// Returns whether a bridge answers and forwards nothing upwards.
fn is_stopped(space: &mut impl ConfigSpace, bridge: u32) -> bool {
    let command = space.read(bridge, REGISTER_COMMAND);
    command != u32::MAX && command & COMMAND_BUS_MASTER == 0
}

/// Has a bridge hold what is behind it in reset. Returns whether it does.
fn hold_in_reset(space: &mut impl ConfigSpace, bridge: u32) -> bool {
    let control = space.read(bridge, REGISTER_BRIDGE_CONTROL);
    if control == u32::MAX {
        return false;
    }
    let held = control | SECONDARY_RESET;
    space.write(bridge, REGISTER_BRIDGE_CONTROL, held);
    let control = space.read(bridge, REGISTER_BRIDGE_CONTROL);
    control != u32::MAX && control & SECONDARY_RESET != 0
}
