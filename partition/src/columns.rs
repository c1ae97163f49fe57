//! Text in aligned columns, for the plan's table and the options' help.

use alloc::format;
use alloc::string::String;
use core::fmt;

/// Writes rows of cells as columns two blanks apart. The column `right`, if there is one, is aligned to the right. No
/// line ends in blanks.
pub(crate) fn write_columns<const N: usize>(
    f: &mut fmt::Formatter<'_>,
    rows: &[[&str; N]],
    right: Option<usize>,
) -> fmt::Result {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in rows {
        let mut line = String::new();
        for ((column, cell), width) in row.iter().enumerate().zip(widths) {
            line += &match Some(column) == right {
                true => format!("{cell:>width$}  "),
                false => format!("{cell:<width$}  "),
            };
        }
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}
