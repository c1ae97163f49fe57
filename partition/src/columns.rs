//! Text in aligned columns, for the plan's table and the options' help.

use core::fmt;

/// Writes rows of cells as columns two blanks apart. The column `right`, if there is one, is aligned to the right; the last one is
/// not padded.
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
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            if column + 1 == N {
                f.write_str(cell)?;
            } else if Some(column) == right {
                write!(f, "{cell:>width$}  ")?;
            } else {
                write!(f, "{cell:<width$}  ")?;
            }
        }
        f.write_str("\n")?;
    }
    Ok(())
}
