//! How all functions are made quiet between two primaries, and what is done about those that do not obey.
//!
//! ```text
//! look again -> each function off -> read back -> bridges off -> wake -> pending transactions -> reset
//!            -> faults cut off -> bridges on
//! ```
//!
//! A function is switched off before the bridge above it. Its answer to the read back pushes what it wrote before to
//! memory (PCI Express 5.0, 2.4.1), so no write is in flight when the bridge stops forwarding. A fault that can be
//! reset by itself is. What remains is cut off at a bridge above it that obeys ([`isolate`](super::isolate)). That
//! bridge stays off, with everything behind it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::config::{
    COMMAND_BUS_MASTER, COMMAND_INTX_DISABLE, ConfigSpace, REGISTER_COMMAND, clear_command,
    set_command,
};
use super::isolate::CutBy;
use super::node::Node;
use super::reset::{self, Reset, ResetPolicy};
use super::tree::Tree;
use super::{virtual_functions, wake};

const MSI_ENABLE: u32 = 1 << 16;
const MSIX_ENABLE: u32 = 1 << 31;

/// Register Device Control and Status, from the PCI Express capability on, and its bit: a request was not answered yet.
const DEVICE_STATUS: u16 = 0x08;
const TRANSACTIONS_PENDING: u32 = 1 << 21;

/// How long all functions together may take to get their last answers. The longest completion time-out in the default
/// range is 50 ms (PCI Express 5.0, 2.8).
pub const PENDING_LIMIT_NS: u64 = 50_000_000;

/// What is wrong with a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// It is gone, or reads as all ones.
    Silent,
    /// It goes on mastering the bus.
    Disobeys,
    /// It still waits for an answer. It can ask nothing more.
    Pending,
    /// It does not answer after a reset.
    Hangs,
}

impl FaultKind {
    /// Returns its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Disobeys => "disobeys",
            Self::Pending => "pending",
            Self::Hangs => "hangs",
        }
    }
}

/// A function that is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its address.
    pub address: u32,
    /// What is wrong.
    pub kind: FaultKind,
    /// The bridge at which it was cut off.
    pub cut_at: Option<u32>,
    /// By what it was cut off.
    pub cut_by: Option<CutBy>,
    /// Whether it can no longer reach memory.
    pub is_contained: bool,
}

/// The outcome.
#[derive(Debug, Default)]
pub struct Quieted {
    /// What is wrong, function by function.
    pub faults: Vec<Fault>,
    /// Functions that were reset.
    pub resets: Vec<Reset>,
    /// Functions that were plugged since the last look.
    pub added: Vec<u32>,
    /// Functions that nobody may use: faults, bridges at which they were cut off, and all that is behind those. By
    /// their numbers.
    pub withheld: Vec<u32>,
    /// Functions that there was no room for, and that were not made quiet.
    pub left_out: u32,
}

impl Quieted {
    /// Returns whether no function reaches memory. Otherwise no new owner may start.
    pub fn is_complete(&self) -> bool {
        self.left_out == 0 && self.faults.iter().all(|fault| fault.is_contained)
    }
}

impl Tree {
    /// Makes every function of the machine quiet: it no longer writes to memory and no longer interrupts, by line or
    /// message. `policy` says which are reset. `now_ns` is the time; the waits end by it.
    pub fn quiet(
        &mut self,
        space: &mut impl ConfigSpace,
        policy: ResetPolicy,
        mut now_ns: impl FnMut() -> u64,
    ) -> Quieted {
        let added = self.look_again(space);
        self.functions().for_each(|node| switch_off(space, node));
        let mut faults: BTreeMap<u32, FaultKind> = BTreeMap::new();
        let mut fallen = Vec::new();
        for node in self.functions() {
            if let Some(kind) = self.check(space, node) {
                faults.insert(node.address(), kind);
            }
        }
        for bridge in self.bridges().filter(|it| it.round != self.round) {
            faults.insert(bridge.address(), FaultKind::Silent);
        }
        let were_on = stop_bridges(space, self.bridges());
        let sound = || {
            let is_sound = |node: &&Node| !faults.contains_key(&node.address());
            self.functions().filter(is_sound)
        };
        let waking = wake::wake(space, sound());
        let limit_ns = if waking.is_empty() { 0 } else { wake::WAKE_NS };
        wait(&mut now_ns, limit_ns, || false);
        waking.iter().for_each(|saved| saved.restore(space));
        let mut is_pending = |node: &&Node| match is_pending(space, node) {
            Some(is_pending) => is_pending,
            None => {
                fallen.push(node.address());
                false
            }
        };
        let mut pending: Vec<&Node> = sound().filter(&mut is_pending).collect();
        wait(&mut now_ns, PENDING_LIMIT_NS, || {
            pending.retain(&mut is_pending);
            pending.is_empty()
        });
        faults.extend(fallen.iter().map(|it| (*it, FaultKind::Silent)));
        faults.extend(pending.iter().map(|it| (it.address(), FaultKind::Pending)));
        let resets = self.reset(space, policy, &mut now_ns, &mut faults, &mut fallen);
        for node in self.functions() {
            if !faults.contains_key(&node.address()) && !virtual_functions::switch_off(space, node)
            {
                faults.insert(node.address(), FaultKind::Disobeys);
            }
        }
        let faults = self.cut_off(space, &faults, &fallen);
        let cuts: Vec<u32> = faults.iter().filter_map(|fault| fault.cut_at).collect();
        for bridge in were_on.into_iter().filter(|it| !cuts.contains(it)) {
            set_command(space, bridge, COMMAND_BUS_MASTER);
        }
        Quieted {
            withheld: self.withheld(&faults, &cuts),
            faults,
            resets,
            added,
            left_out: self.left_out,
        }
    }

    /// Resets functions, and notes which are faults after that, and which of those had obeyed before.
    fn reset(
        &self,
        space: &mut impl ConfigSpace,
        policy: ResetPolicy,
        now_ns: &mut impl FnMut() -> u64,
        faults: &mut BTreeMap<u32, FaultKind>,
        fallen: &mut Vec<u32>,
    ) -> Vec<Reset> {
        let is_chosen = |node: &&Node| match faults.get(&node.address()) {
            Some(FaultKind::Disobeys | FaultKind::Pending) => true,
            Some(_) => false,
            None => policy == ResetPolicy::All,
        };
        let resets = reset::reset(space, now_ns, self.functions().filter(is_chosen));
        for done in &resets {
            let Some(node) = self.get(done.address) else {
                continue;
            };
            let had_obeyed = faults.remove(&done.address) != Some(FaultKind::Disobeys);
            let fault = match done.took_ns {
                None => Some(FaultKind::Hangs),
                Some(_) => {
                    switch_off(space, node);
                    self.check(space, node).or_else(|| {
                        // All ones are no answer, either.
                        let is_at_rest = is_pending(space, node) == Some(false);
                        (!is_at_rest).then_some(FaultKind::Pending)
                    })
                }
            };
            if let Some(kind) = fault {
                faults.insert(done.address, kind);
                if had_obeyed && kind != FaultKind::Disobeys {
                    fallen.push(done.address);
                }
            }
        }
        resets
    }

    /// Returns the functions that are switched off.
    fn functions(&self) -> impl Iterator<Item = &Node> {
        let nodes = self.nodes.iter();
        nodes.filter(|node| !node.is_fixed() && !node.is_bridge())
    }

    fn bridges(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.is_bridge())
    }

    /// Returns what is wrong with a function that was switched off.
    fn check(&self, space: &mut impl ConfigSpace, node: &Node) -> Option<FaultKind> {
        let command = space.read(node.address(), REGISTER_COMMAND);
        if node.round != self.round || command == u32::MAX {
            return Some(FaultKind::Silent);
        }
        (command & COMMAND_BUS_MASTER != 0).then_some(FaultKind::Disobeys)
    }
}

/// Takes bus mastering and interrupts from a function and its virtual functions.
fn switch_off(space: &mut impl ConfigSpace, node: &Node) {
    virtual_functions::stop(space, node);
    let command = space.read(node.address(), REGISTER_COMMAND) & 0xffff;
    let off = command & !COMMAND_BUS_MASTER | COMMAND_INTX_DISABLE;
    space.write(node.address(), REGISTER_COMMAND, off);
    silence(space, node);
}

/// Switches messages off.
fn silence(space: &mut impl ConfigSpace, node: &Node) {
    for (place, enable) in [(node.msi, MSI_ENABLE), (node.msix, MSIX_ENABLE)] {
        let Some(at) = place.map(u16::from) else {
            continue;
        };
        let header = space.read(node.address(), at);
        if header & enable != 0 {
            space.write(node.address(), at, header & !enable);
        }
    }
}

/// Stops what passes bridges upwards, and their own messages. Returns those that were on.
fn stop_bridges<'a>(
    space: &mut impl ConfigSpace,
    bridges: impl Iterator<Item = &'a Node>,
) -> Vec<u32> {
    let mut were_on = Vec::new();
    for bridge in bridges {
        silence(space, bridge);
        let command = space.read(bridge.address(), REGISTER_COMMAND);
        if command != u32::MAX && command & COMMAND_BUS_MASTER != 0 {
            were_on.push(bridge.address());
            clear_command(space, bridge.address(), COMMAND_BUS_MASTER);
        }
    }
    were_on
}

/// Returns whether a function waits for an answer; `None` if it reads as all ones.
fn is_pending(space: &mut impl ConfigSpace, node: &Node) -> Option<bool> {
    let Some(at) = node.express.map(u16::from) else {
        return Some(false);
    };
    let status = space.read(node.address(), at + DEVICE_STATUS);
    (status != u32::MAX).then_some(status & TRANSACTIONS_PENDING != 0)
}

/// Waits until `is_done` or for `limit_ns`.
fn wait(now_ns: &mut impl FnMut() -> u64, limit_ns: u64, mut is_done: impl FnMut() -> bool) {
    if limit_ns == 0 || is_done() {
        return;
    }
    let begin_ns = now_ns();
    while now_ns().saturating_sub(begin_ns) < limit_ns && !is_done() {
        core::hint::spin_loop();
    }
}
