//! `DEBUG LOG-FLOOD`: more lines than the log has room for.

use crate::cores::{self, LEAD};

/// What makes a line long.
const DROPS: &str = "drop drop drop drop drop drop drop drop drop drop drop drop";

/// Most lines of one command.
const LINES_MAX: u64 = 100_000;

/// Logs `lines` lines. The six places have a budget each, and all of them together fill the ring and more.
pub fn run(lines: u64) {
    for number in 0..lines.min(LINES_MAX) {
        cores::core(LEAD).advance();
        match number % 6 {
            0 => log::info!("flood: {DROPS} {number}"),
            1 => log::info!("more flood: {DROPS} {number}"),
            2 => log::info!("still flood: {DROPS} {number}"),
            3 => log::info!("and flood: {DROPS} {number}"),
            4 => log::info!("again flood: {DROPS} {number}"),
            _ => log::info!("no end of flood: {DROPS} {number}"),
        }
    }
}
