//! Text on a screen, in steps of one character: a kernel that watches another one draws between two looks.
//!
//! [`TextScreen`] says where a character goes; a [`Canvas`] draws it: [`Pixels`] by a font, [`EgaText`] as a byte. What
//! is drawn goes through [`VideoMemory`], which is the machine's or, in a test, an array.
//!
//! A screen does not scroll, because to move all its pixels takes many milliseconds: text goes on at the top when it
//! has reached the bottom, and a blank row follows the newest one.
//!
//! ```
//! use screen::{EgaText, TextScreen, VideoMemory};
//!
//! struct Memory([u8; 160 * 25]);
//! impl VideoMemory for Memory {
//!     fn write(&mut self, offset: usize, bytes: &[u8]) {
//!         self.0[offset..offset + bytes.len()].copy_from_slice(bytes);
//!     }
//! }
//! let canvas = EgaText::new(Memory([0; 160 * 25]), 80, 25, 160);
//! let mut screen = TextScreen::new(canvas);
//! screen.clear();
//! let mut text = b"hello\n".iter().copied();
//! while screen.step(|| text.next()) {}
//! assert_eq!(screen.canvas().memory().0[..4], *b"h\x07e\x07");
//! ```
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod ega_text;
mod pixels;
mod text_screen;

pub use ega_text::EgaText;
pub use pixels::Pixels;
pub use text_screen::TextScreen;

/// Memory that is shown on a screen.
pub trait VideoMemory {
    /// Writes `bytes` at `offset`. The caller stays within the screen.
    fn write(&mut self, offset: usize, bytes: &[u8]);
}

/// A screen divided into cells, each with room for one character.
pub trait Canvas {
    /// Returns the number of cells in a row, at least 1.
    fn columns(&self) -> usize;

    /// Returns the number of rows, at least 1.
    fn rows(&self) -> usize;

    /// Draws a printable character of ASCII into a cell; its old content is gone. A blank clears the cell.
    fn draw(&mut self, column: usize, row: usize, character: u8);
}
