//! The table of all events, by their writers.

mod compute;
mod device;
mod guest;
mod instance;
mod log;
mod monitor;
mod understudyctl;

pub use compute::*;
pub use device::*;
pub use guest::*;
pub use instance::*;
pub use log::*;
pub use monitor::*;
pub use understudyctl::*;

use super::Group;

/// The parts of the table.
pub const GROUPS: [Group; 7] = [
    monitor::GROUP,
    compute::GROUP,
    device::GROUP,
    instance::GROUP,
    log::GROUP,
    understudyctl::GROUP,
    guest::GROUP,
];

/// Checks that every event reads back as it was written.
#[cfg(test)]
pub(super) fn check_round_trips() {
    monitor::check_round_trips();
    compute::check_round_trips();
    device::check_round_trips();
    instance::check_round_trips();
    log::check_round_trips();
    understudyctl::check_round_trips();
    guest::check_round_trips();
}
