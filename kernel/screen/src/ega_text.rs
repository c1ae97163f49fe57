//! A text screen of EGA or VGA: each cell is a character and its attributes.

use crate::{Canvas, VideoMemory};

/// Light grey on black (IBM VGA, attribute byte).
const ATTRIBUTES: u8 = 0x07;

/// Bytes of a cell.
const CELL_BYTES: usize = 2;

/// A text screen.
#[derive(Debug)]
pub struct EgaText<M> {
    memory: M,
    columns: usize,
    rows: usize,
    pitch_bytes: usize,
}

impl<M: VideoMemory> EgaText<M> {
    /// Takes a screen of so many cells, whose rows are `pitch_bytes` apart.
    pub fn new(memory: M, columns: usize, rows: usize, pitch_bytes: usize) -> Self {
        Self {
            memory,
            columns,
            rows,
            pitch_bytes,
        }
    }

    /// Returns the memory.
    pub fn memory(&self) -> &M {
        &self.memory
    }
}

impl<M: VideoMemory> Canvas for EgaText<M> {
    fn columns(&self) -> usize {
        self.columns
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn draw(&mut self, column: usize, row: usize, character: u8) {
        let offset = row * self.pitch_bytes + column * CELL_BYTES;
        self.memory.write(offset, &[character, ATTRIBUTES]);
    }
}
