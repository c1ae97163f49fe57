//! What is on a machine's screen, as QEMU takes a picture of it.

use crate::problem::Problem;

/// A picture of a screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Screenshot {
    width: usize,
    height: usize,
    /// Whether each pixel is light.
    light: Vec<bool>,
}

impl Screenshot {
    /// Reads a portable pixmap: `P6`, width, height, the greatest value, then three bytes for each pixel.
    ///
    /// # Errors
    /// The bytes are no such picture.
    pub fn read(bytes: &[u8]) -> Result<Self, Problem> {
        let bad = || Problem::Failed("the picture of the screen is no portable pixmap".into());
        let mut rest = bytes;
        let mut words = [""; 4];
        for word in &mut words {
            let end = rest.iter().position(u8::is_ascii_whitespace);
            let end = end.ok_or_else(bad)?;
            *word = std::str::from_utf8(&rest[..end]).map_err(|_| bad())?;
            rest = &rest[end + 1..];
        }
        let [width, height] = [words[1], words[2]].map(|word| word.parse::<usize>().ok());
        let (Some(width), Some(height), "P6") = (width, height, words[0]) else {
            return Err(bad());
        };
        if rest.len() != width * height * 3 {
            return Err(bad());
        }
        let light = rest.chunks(3).map(|pixel| pixel.iter().all(|it| *it > 96));
        Ok(Self {
            width,
            height,
            light: light.collect(),
        })
    }

    /// Returns whether `other` is somewhere in this picture.
    pub fn shows(&self, other: &Self) -> bool {
        let (Some(rows), Some(columns)) = (
            (self.height + 1).checked_sub(other.height),
            (self.width + 1).checked_sub(other.width),
        ) else {
            return false;
        };
        (0..rows).any(|y| (0..columns).any(|x| self.shows_at(other, x, y)))
    }

    fn shows_at(&self, other: &Self, x: usize, y: usize) -> bool {
        (0..other.height).all(|line| {
            let own = (y + line) * self.width + x;
            let wanted = line * other.width;
            self.light[own..own + other.width] == other.light[wanted..wanted + other.width]
        })
    }

    /// Draws a line of text as the monitor does.
    pub fn of_text(text: &str) -> Self {
        use partition::boot_info::{Framebuffer, PixelFormat};
        use screen::{Canvas, Pixels, VideoMemory};

        struct Memory(Vec<u8>);
        impl VideoMemory for Memory {
            fn write(&mut self, offset: usize, bytes: &[u8]) {
                self.0[offset..offset + bytes.len()].copy_from_slice(bytes);
            }
        }
        let (cell_width, height) = Pixels::<Memory>::CELL_PIXELS;
        let width = cell_width * text.len();
        let framebuffer = Framebuffer {
            address: 1,
            pitch_bytes: (width * 4) as u32,
            width: width as u32,
            height: height as u32,
            format: PixelFormat::Rgb {
                bytes: 4,
                white: u32::MAX,
            },
        };
        let memory = Memory(vec![0; width * height * 4]);
        let mut canvas = Pixels::new(memory, &framebuffer).expect("the text has room");
        for (column, character) in text.bytes().enumerate() {
            canvas.draw(column, 0, character);
        }
        let light = canvas.memory().0.chunks(4).map(|pixel| pixel[0] != 0);
        Self {
            width,
            height,
            light: light.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_read_and_searched() {
        let mut pixmap = b"P6\n4 2\n255\n".to_vec();
        pixmap.extend([0; 3 * 4]);
        pixmap.extend([0, 0, 0, 255, 255, 255, 0, 0, 0, 200, 200, 200]);
        let picture = Screenshot::read(&pixmap).unwrap();
        let part = |light: [bool; 3]| Screenshot {
            width: 3,
            height: 1,
            light: light.to_vec(),
        };
        assert!(picture.shows(&part([true, false, true])));
        assert!(!picture.shows(&part([true, true, true])));
        for length in 0..pixmap.len() {
            assert!(Screenshot::read(&pixmap[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn text_is_found_in_itself_and_not_in_other_text() {
        let long = Screenshot::of_text("boot refused: nothing");
        assert!(long.shows(&Screenshot::of_text("refused")));
        assert!(!long.shows(&Screenshot::of_text("accepted")));
    }
}
