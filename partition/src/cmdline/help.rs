//! The help text of all options.

use alloc::format;
use core::fmt;

use super::table::{OPTIONS, Preset};
use crate::columns::write_columns;

/// Writes what every option is for, as a table.
#[derive(Clone, Copy, Debug)]
pub struct Help;

impl fmt::Display for Help {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells = OPTIONS.iter().map(|spec| {
            let preset = match spec.preset {
                Preset::Required => "required",
                Preset::Value(value) => value,
                Preset::Unset | Preset::Repeated => "-",
            };
            (format!("{}={}", spec.name, spec.syntax), preset, spec.help)
        });
        let cells: alloc::vec::Vec<_> = cells.collect();
        let head = [["option", "default", "what for"]];
        let rows = cells
            .iter()
            .map(|(option, preset, help)| [option, *preset, *help]);
        let rows: alloc::vec::Vec<[&str; 3]> = head.into_iter().chain(rows).collect();
        write_columns(f, &rows, None)
    }
}
