//! What a log says of itself.

use crate::event::Word;
use crate::event::declare::events;

events! {
    /// The monitor and a native instance

    event LinesLeftOut = "lines-left-out":
    /// One place in the code logged too much at once. Later lines of it were left out.
    {
        /// How many lines.
        lines: u64,
        /// The module of the place.
        module: Word,
        /// Its line in the source file.
        line: u32,
    }
}
