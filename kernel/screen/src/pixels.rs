//! A screen of pixels: characters are drawn by a font.

use firmware::boot_info::{Framebuffer, PixelFormat};
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use crate::{Canvas, VideoMemory};

/// Height and width of a character, in pixels.
const HEIGHT: usize = RasterHeight::Size16.val();
const WIDTH: usize = get_raster_width(FontWeight::Regular, RasterHeight::Size16);

/// Most bytes of a pixel.
const PIXEL_BYTES_MAX: usize = 4;

/// Above this intensity of the font, of 255, a pixel is white.
const THRESHOLD: u8 = 96;

/// A screen of pixels.
#[derive(Debug)]
pub struct Pixels<M> {
    memory: M,
    columns: usize,
    rows: usize,
    pitch_bytes: usize,
    pixel_bytes: usize,
    white: [u8; PIXEL_BYTES_MAX],
}

impl<M: VideoMemory> Pixels<M> {
    /// Width and height of a character, in pixels.
    pub const CELL_PIXELS: (usize, usize) = (WIDTH, HEIGHT);

    /// Takes a screen; `None` if no character has room on it, or it has no pixels.
    pub fn new(memory: M, screen: &Framebuffer) -> Option<Self> {
        let PixelFormat::Rgb { bytes, white } = screen.format else {
            return None;
        };
        let [columns, rows] = [
            screen.width as usize / WIDTH,
            screen.height as usize / HEIGHT,
        ];
        (columns > 0 && rows > 0).then_some(Self {
            memory,
            columns,
            rows,
            pitch_bytes: screen.pitch_bytes as usize,
            pixel_bytes: bytes as usize,
            white: white.to_le_bytes(),
        })
    }

    /// Returns the memory.
    pub fn memory(&self) -> &M {
        &self.memory
    }
}

impl<M: VideoMemory> Canvas for Pixels<M> {
    fn columns(&self) -> usize {
        self.columns
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn draw(&mut self, column: usize, row: usize, character: u8) {
        let glyph = get_raster(
            char::from(character),
            FontWeight::Regular,
            RasterHeight::Size16,
        );
        let corner = row * HEIGHT * self.pitch_bytes + column * WIDTH * self.pixel_bytes;
        for line in 0..HEIGHT {
            let mut bytes = [0; WIDTH * PIXEL_BYTES_MAX];
            let intensities = glyph.as_ref().and_then(|glyph| glyph.rows().nth(line));
            for (index, intensity) in intensities.unwrap_or(&[]).iter().enumerate() {
                if *intensity > THRESHOLD {
                    let at = index * self.pixel_bytes;
                    bytes[at..at + self.pixel_bytes]
                        .copy_from_slice(&self.white[..self.pixel_bytes]);
                }
            }
            let offset = corner + line * self.pitch_bytes;
            self.memory
                .write(offset, &bytes[..WIDTH * self.pixel_bytes]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    struct Guarded {
        bytes: Vec<u8>,
        pitch: usize,
        width_bytes: usize,
    }

    impl VideoMemory for Guarded {
        fn write(&mut self, offset: usize, bytes: &[u8]) {
            assert!(
                offset % self.pitch + bytes.len() <= self.width_bytes,
                "it writes beside the screen"
            );
            self.bytes[offset..offset + bytes.len()].copy_from_slice(bytes);
        }
    }

    fn screen(width: u32, height: u32, bytes: u8, white: u32) -> (Framebuffer, Guarded) {
        let pitch_bytes = width * u32::from(bytes) + 64;
        let screen = Framebuffer {
            address: 0x1000,
            pitch_bytes,
            width,
            height,
            format: PixelFormat::Rgb { bytes, white },
        };
        let memory = Guarded {
            bytes: vec![0x55; (pitch_bytes * height) as usize],
            pitch: pitch_bytes as usize,
            width_bytes: (width * u32::from(bytes)) as usize,
        };
        (screen, memory)
    }

    /// Returns the cell's pixels: true where one is white.
    fn cell(canvas: &Pixels<Guarded>, column: usize, row: usize) -> Vec<bool> {
        let mut pixels = Vec::new();
        for line in 0..HEIGHT {
            for x in 0..WIDTH {
                let at = (row * HEIGHT + line) * canvas.pitch_bytes
                    + (column * WIDTH + x) * canvas.pixel_bytes;
                let pixel = &canvas.memory.bytes[at..at + canvas.pixel_bytes];
                let is_white = pixel == &canvas.white[..canvas.pixel_bytes];
                assert!(is_white || pixel.iter().all(|byte| *byte == 0));
                pixels.push(is_white);
            }
        }
        pixels
    }

    #[test]
    fn every_format_shows_the_same_characters() {
        let mut seen = Vec::new();
        for (bytes, white) in [(2, 0xffff), (3, 0x00ff_ffff), (4, 0x00ff_ffff)] {
            let (screen, memory) = screen(64, 48, bytes, white);
            let mut canvas = Pixels::new(memory, &screen).unwrap();
            let (column, row) = (canvas.columns() - 1, canvas.rows() - 1);
            let shown: Vec<_> = (b' '..=b'~')
                .map(|character| {
                    canvas.draw(column, row, character);
                    cell(&canvas, column, row)
                })
                .collect();
            seen.push(shown);
        }
        assert_eq!(seen[0], seen[1]);
        assert_eq!(seen[0], seen[2]);
        let [shown, ..] = &seen[..] else { return };
        assert!(shown[0].iter().all(|white| !white), "a blank is black");
        let distinct = (1..shown.len()).filter(|at| !shown[..*at].contains(&shown[*at]));
        assert_eq!(
            distinct.count(),
            94,
            "every character has a shape of its own"
        );
    }

    #[test]
    fn a_screen_without_room_is_refused() {
        let (screen, memory) = screen(4, 48, 4, 0xff);
        assert!(Pixels::new(memory, &screen).is_none());
    }
}
