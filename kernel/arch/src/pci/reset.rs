//! Functions are reset one by one (function-level reset), so that a driver meets them as after power-on: those that do
//! not obey or do not come to rest, and all others if the operator wants it. It costs 100 ms, however many they are.

use alloc::vec::Vec;

use super::config::ConfigSpace;
use super::node::{Node, identity};
use super::saved::Saved;

/// After the order nobody may access the function for this long (PCI Express 5.0, 6.6.2).
pub const RESET_NS: u64 = 100_000_000;
/// How long all functions together may take until they answer, from the order on. A function may ask for that long to
/// be asked again (PCI Express 5.0, 2.3.1).
pub const RESET_LIMIT_NS: u64 = 1_000_000_000;

/// Register Device Capabilities, from the PCI Express capability on: the function can be reset.
const EXPRESS_CAPABILITIES: u16 = 0x04;
const EXPRESS_CAN_RESET: u32 = 1 << 28;
/// Register Device Control.
const EXPRESS_CONTROL: u16 = 0x08;
const EXPRESS_RESET: u32 = 1 << 15;

/// The first register of Advanced Features (conventional PCI; ECN "Advanced Capabilities"): the function has
/// Transactions Pending, and can be reset.
const ADVANCED_CAN_RESET: u32 = 0b11 << 24;
/// The second one: control.
const ADVANCED_CONTROL: u16 = 0x04;
const ADVANCED_RESET: u32 = 1 << 0;

/// The vendor that a function seems to be of that is not ready yet.
const VENDOR_RETRY: u32 = 0x0001;

/// Which functions are reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResetPolicy {
    /// Those that do not obey, or whose transactions stay pending.
    #[default]
    Faulty,
    /// All that can be.
    All,
}

/// How a function can be reset by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetMethod {
    /// By the PCI Express capability at this offset.
    Express(u8),
    /// By the capability "advanced features" at this offset.
    Advanced(u8),
}

impl ResetMethod {
    /// Reads whether a PCI Express function can be reset.
    pub fn of_express(space: &mut impl ConfigSpace, address: u32, at: u8) -> Option<Self> {
        let capabilities = space.read(address, u16::from(at) + EXPRESS_CAPABILITIES);
        let can_reset = capabilities != u32::MAX && capabilities & EXPRESS_CAN_RESET != 0;
        can_reset.then_some(Self::Express(at))
    }

    /// Reads whether a function with the capability `header` of this kind can be reset.
    pub fn of_advanced(header: u32, at: u8) -> Option<Self> {
        let can_reset = header & ADVANCED_CAN_RESET == ADVANCED_CAN_RESET;
        can_reset.then_some(Self::Advanced(at))
    }

    fn begin(self, space: &mut impl ConfigSpace, address: u32) {
        let (register, reset) = match self {
            Self::Express(at) => (u16::from(at) + EXPRESS_CONTROL, EXPRESS_RESET),
            Self::Advanced(at) => (u16::from(at) + ADVANCED_CONTROL, ADVANCED_RESET),
        };
        let control = space.read(address, register) & 0xffff;
        space.write(address, register, control | reset);
    }
}

/// A function that was reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    /// Its address.
    pub address: u32,
    /// How long it took; `None` if the function hangs.
    pub took_ns: Option<u64>,
}

/// Resets all functions that can be, at once, and waits until each answers. They must be quiet, as far as they obey.
pub fn reset<'a>(
    space: &mut impl ConfigSpace,
    now_ns: &mut impl FnMut() -> u64,
    functions: impl Iterator<Item = &'a Node>,
) -> Vec<Reset> {
    let mut under_way = Vec::new();
    for node in functions {
        if let Some(method) = node.reset {
            under_way.push((Saved::of(space, node), node.function.id));
            method.begin(space, node.address());
        }
    }
    if under_way.is_empty() {
        return Vec::new();
    }
    let begin_ns = now_ns();
    let mut elapsed_ns = || now_ns().saturating_sub(begin_ns);
    while elapsed_ns() < RESET_NS {
        core::hint::spin_loop();
    }
    let mut resets = Vec::new();
    loop {
        let at_ns = elapsed_ns();
        let is_last = at_ns >= RESET_LIMIT_NS;
        under_way.retain(|(saved, id)| {
            let found = identity(space, saved.address());
            let is_ready = found == Some(*id);
            if is_ready {
                saved.restore(space);
            }
            // Another function than before is none that comes back.
            let is_other = found.is_some_and(|id| id & 0xffff != VENDOR_RETRY) && !is_ready;
            let is_over = is_ready || is_other || is_last;
            if is_over {
                resets.push(Reset {
                    address: saved.address(),
                    took_ns: is_ready.then_some(at_ns),
                });
            }
            !is_over
        });
        if under_way.is_empty() {
            return resets;
        }
        core::hint::spin_loop();
    }
}
