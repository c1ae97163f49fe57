//! The screen, as the boot loader left it (Multiboot2 specification 2.0, section 3.6.12).

use core::fmt;

use crate::physical::{Block, InputError};
use crate::range::Range;

/// The widest and the highest screen that is taken for one, in pixels.
pub const PIXELS_MAX: u32 = 16_384;

const INDEXED: u8 = 0;
const RGB: u8 = 1;
const EGA_TEXT: u8 = 2;

/// A screen on which text can be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framebuffer {
    /// Physical address of its first byte.
    pub address: u64,
    /// Bytes from one line to the next.
    pub pitch_bytes: u32,
    /// Pixels in a line; characters of a text screen.
    pub width: u32,
    /// Lines of pixels; of characters on a text screen.
    pub height: u32,
    /// What is at a place.
    pub format: PixelFormat,
}

/// What a screen has at each place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixelFormat {
    /// A character and its attributes, two bytes, as EGA and VGA have them.
    Text,
    /// A colour of so many bytes. White is the union of its three fields.
    Rgb {
        /// Bytes of a pixel, 2 to 4.
        bytes: u8,
        /// The value of a white pixel.
        white: u32,
    },
}

impl PixelFormat {
    /// Returns the bytes of one place.
    pub const fn bytes(self) -> u32 {
        match self {
            Self::Text => 2,
            Self::Rgb { bytes, .. } => bytes as u32,
        }
    }
}

impl Framebuffer {
    /// Returns the memory it takes.
    pub fn range(&self) -> Range {
        let bytes = u64::from(self.pitch_bytes) * u64::from(self.height);
        Range::new(self.address, self.address + bytes)
    }
}

impl fmt::Display for Framebuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { width, height, .. } = self;
        match self.format {
            PixelFormat::Text => write!(f, "{width} x {height} characters"),
            PixelFormat::Rgb { bytes, .. } => {
                write!(f, "{width} x {height} pixels of {} bits", bytes * 8)
            }
        }?;
        write!(f, " at {:#x}", self.address)
    }
}

/// Why nothing is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoScreen {
    /// The boot loader names no screen.
    NotNamed,
    /// Its pixels are numbers of colours in a palette.
    Palette,
    /// Its numbers do not fit each other; names the field.
    Impossible(&'static str),
}

impl fmt::Display for NoScreen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNamed => f.write_str("none: the boot loader names none"),
            Self::Palette => f.write_str("none: its colours are those of a palette"),
            Self::Impossible(field) => write!(f, "none: {field} makes no sense"),
        }
    }
}

/// Reads the tag. A screen that cannot be used is no reason not to boot.
///
/// # Errors
/// The tag is shorter than its fields.
pub(super) fn read(tag: &Block) -> Result<Result<Framebuffer, NoScreen>, InputError> {
    let byte = |offset: usize, field: &'static str| {
        let found = tag.bytes.get(offset).copied();
        found.ok_or_else(|| tag.error(field, crate::physical::Problem::TooShort(offset as u64)))
    };
    let address = tag.u64(8, "framebuffer_addr")?;
    let pitch_bytes = tag.u32(16, "framebuffer_pitch")?;
    let width = tag.u32(20, "framebuffer_width")?;
    let height = tag.u32(24, "framebuffer_height")?;
    let bits = byte(28, "framebuffer_bpp")?;
    let format = match byte(29, "framebuffer_type")? {
        RGB => {
            let mut white = 0;
            for field in 0..3 {
                let position = byte(32 + field * 2, "framebuffer_field_position")?;
                let size = byte(33 + field * 2, "framebuffer_mask_size")?;
                let (position, size) = (u32::from(position), u32::from(size));
                if size == 0 || position + size > 32 {
                    return Ok(Err(NoScreen::Impossible("framebuffer_mask_size")));
                }
                white |= (u32::MAX >> (32 - size)) << position;
            }
            let bytes = bits.div_ceil(8);
            PixelFormat::Rgb { bytes, white }
        }
        EGA_TEXT => PixelFormat::Text,
        INDEXED => return Ok(Err(NoScreen::Palette)),
        _ => return Ok(Err(NoScreen::Impossible("framebuffer_type"))),
    };
    let framebuffer = Framebuffer {
        address,
        pitch_bytes,
        width,
        height,
        format,
    };
    Ok(framebuffer.check())
}

impl Framebuffer {
    /// Returns the screen, if its numbers fit each other.
    fn check(self) -> Result<Self, NoScreen> {
        let is_side = |pixels: u32| (1..=PIXELS_MAX).contains(&pixels);
        let field = if let PixelFormat::Rgb { bytes, .. } = self.format
            && !(2..=4).contains(&bytes)
        {
            "framebuffer_bpp"
        } else if !is_side(self.width) {
            "framebuffer_width"
        } else if !is_side(self.height) {
            "framebuffer_height"
        } else if self.pitch_bytes < self.width * self.format.bytes()
            || self.pitch_bytes > PIXELS_MAX * 4
        {
            "framebuffer_pitch"
        } else if self.address == 0
            || self
                .address
                .checked_add(1 << 32)
                .is_none_or(|it| it >> 52 != 0)
        {
            "framebuffer_addr"
        } else {
            return Ok(self);
        };
        Err(NoScreen::Impossible(field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// Makes the tag of a screen of 1024 x 768 pixels.
    fn tag() -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend([8_u32, 38].map(u32::to_le_bytes).concat());
        bytes.extend(0xfd00_0000_u64.to_le_bytes());
        bytes.extend([4096_u32, 1024, 768].map(u32::to_le_bytes).concat());
        bytes.extend([32, RGB, 0, 0]);
        bytes.extend([16, 8, 8, 8, 0, 8]);
        bytes
    }

    fn read_bytes(bytes: &[u8]) -> Result<Result<Framebuffer, NoScreen>, InputError> {
        read(&Block {
            name: "tag",
            bytes: bytes.to_vec(),
        })
    }

    #[test]
    fn a_screen_is_read() {
        let screen = read_bytes(&tag()).unwrap().unwrap();
        let format = PixelFormat::Rgb {
            bytes: 4,
            white: 0x00ff_ffff,
        };
        assert_eq!(screen.format, format);
        assert_eq!(screen.range(), Range::new(0xfd00_0000, 0xfd30_0000));
        assert_eq!(
            screen.to_string(),
            "1024 x 768 pixels of 32 bits at 0xfd000000"
        );
    }

    #[test]
    fn a_text_screen_is_read() {
        let mut bytes = tag();
        bytes[8..16].copy_from_slice(&0xb8000_u64.to_le_bytes());
        bytes[16..28].copy_from_slice(&[160_u32, 80, 25].map(u32::to_le_bytes).concat());
        bytes[28..30].copy_from_slice(&[16, EGA_TEXT]);
        let screen = read_bytes(&bytes[..32]).unwrap().unwrap();
        assert_eq!(screen.to_string(), "80 x 25 characters at 0xb8000");
    }

    #[test]
    fn a_screen_that_cannot_be_is_named_by_its_field() {
        for (offset, bytes, reason) in [
            (16, &4095_u32.to_le_bytes()[..], "framebuffer_pitch"),
            (20, &[0; 4], "framebuffer_width"),
            (24, &[0xff; 4], "framebuffer_height"),
            (8, &[0xff; 8], "framebuffer_addr"),
            (8, &[0; 8], "framebuffer_addr"),
            (28, &[8], "framebuffer_bpp"),
            (29, &[0], "palette"),
            (29, &[9], "framebuffer_type"),
            (33, &[0], "framebuffer_mask_size"),
            (32, &[30], "framebuffer_mask_size"),
        ] {
            let mut tag = tag();
            tag[offset..offset + bytes.len()].copy_from_slice(bytes);
            let found = read_bytes(&tag).unwrap().unwrap_err().to_string();
            assert!(found.contains(reason), "{reason}: {found}");
        }
        for length in 8..38 {
            assert!(read_bytes(&tag()[..length]).is_err(), "{length}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_a_screen_that_fits_or_in_none(bytes in proptest::collection::vec(any::<u8>(), 0..48)) {
            if let Ok(Ok(screen)) = read_bytes(&bytes) {
                prop_assert!(screen.range().len() >= u64::from(screen.width * screen.format.bytes()));
                prop_assert!(screen.range().end > screen.range().start);
            }
        }
    }
}
