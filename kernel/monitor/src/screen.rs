//! The screen, as the monitor uses it: it shows what all programs log, until a tenant may drive it.
//!
//! The seat draws one character at a time, between two looks at the primary. It reads the log rings without draining
//! them, so the serial port shows the same.

use core::ptr;

use partition::boot_info::{Framebuffer, PixelFormat};
use screen::{Canvas, EgaText, Pixels, TextScreen, VideoMemory};
use sharedmem::log_ring::{LINE_BYTES, LogRing};
use sharedmem::{Control, Instance};
use spin::Mutex;

/// Number of rings that are followed.
const RINGS: usize = 3;

static SCREEN: Mutex<Option<Screen>> = Mutex::new(None);

/// Video memory at an address.
struct Mapped {
    base: *mut u8,
    bytes: usize,
}

// SAFETY: an address; the screen's lock serialises its use.
unsafe impl Send for Mapped {}

impl VideoMemory for Mapped {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        if offset
            .checked_add(bytes.len())
            .is_some_and(|end| end <= self.bytes)
        {
            // SAFETY: within the screen's memory, which is mapped there by the promise that `open` was given.
            unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.base.add(offset), bytes.len()) };
        }
    }
}

enum Surface {
    Pixels(Pixels<Mapped>),
    Text(EgaText<Mapped>),
}

impl Surface {
    fn canvas(&self) -> &dyn Canvas {
        match self {
            Self::Pixels(canvas) => canvas,
            Self::Text(canvas) => canvas,
        }
    }
}

impl Canvas for Surface {
    fn columns(&self) -> usize {
        self.canvas().columns()
    }

    fn rows(&self) -> usize {
        self.canvas().rows()
    }

    fn draw(&mut self, column: usize, row: usize, character: u8) {
        match self {
            Self::Pixels(canvas) => canvas.draw(column, row, character),
            Self::Text(canvas) => canvas.draw(column, row, character),
        }
    }
}

struct Screen {
    text: TextScreen<Surface>,
    /// How far each ring was shown.
    shown: [u64; RINGS],
    /// The line that is being drawn, in this range.
    line: [u8; LINE_BYTES],
    range: (usize, usize),
}

/// Opens the screen, whose memory is mapped at `base`, and clears it. Does nothing if no character has room on it.
///
/// # Safety
/// All of its memory is mapped there for as long as the screen is open, and nobody else draws.
pub unsafe fn open(framebuffer: &Framebuffer, base: *mut u8) {
    let memory = Mapped {
        base,
        bytes: framebuffer.range().len() as usize,
    };
    let Framebuffer {
        width,
        height,
        pitch_bytes,
        format,
        ..
    } = *framebuffer;
    let surface = match format {
        PixelFormat::Text => {
            let [columns, rows, pitch] = [width, height, pitch_bytes].map(|it| it as usize);
            Some(Surface::Text(EgaText::new(memory, columns, rows, pitch)))
        }
        PixelFormat::Rgb { .. } => Pixels::new(memory, framebuffer).map(Surface::Pixels),
    };
    let mut text = surface.map(TextScreen::new);
    if let Some(text) = &mut text {
        text.clear();
    }
    *SCREEN.lock() = text.map(|text| Screen {
        text,
        shown: [0; RINGS],
        line: [0; LINE_BYTES],
        range: (0, 0),
    });
}

/// Closes the screen: a tenant may drive it from here on, or its memory is mapped there no more.
pub fn close() {
    *SCREEN.lock() = None;
}

/// Draws one character of what was logged. Returns whether there is more.
pub fn draw(control: &Control) -> bool {
    let rings = [
        &*control.monitor_log,
        &*control.instance_logs[Instance::A],
        &*control.instance_logs[Instance::B],
    ];
    // Nobody but this core takes the lock; it is held only if this core died while it drew.
    let Some(mut screen) = SCREEN.try_lock() else {
        return false;
    };
    screen.as_mut().is_some_and(|screen| screen.step(rings))
}

/// Draws all that was logged before there was a shared region.
pub fn draw_early(early: Option<&LogRing>) {
    let (Some(mut screen), Some(early)) = (SCREEN.try_lock(), early) else {
        return;
    };
    if let Some(screen) = screen.as_mut() {
        while screen.step([early]) {}
        screen.shown = [0; RINGS];
    }
}

impl Screen {
    /// Draws one character of what is in `rings`. Returns whether there is more.
    fn step<const N: usize>(&mut self, rings: [&LogRing; N]) -> bool {
        if self.range.0 == self.range.1 {
            self.refill(rings);
        }
        let Self {
            text, line, range, ..
        } = self;
        text.step(|| {
            let next = (range.0 < range.1).then(|| line[range.0]);
            range.0 += usize::from(next.is_some());
            next
        })
    }

    /// Takes the next line of one ring.
    fn refill<const N: usize>(&mut self, rings: [&LogRing; N]) {
        for (ring, shown) in rings.into_iter().zip(&mut self.shown) {
            let (start, length) = ring.copy_from(*shown, &mut self.line);
            let text = &self.line[..length];
            let end = text.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(length, |end| end + 1);
            *shown = start + taken as u64;
            if taken > 0 {
                self.range = (0, taken);
                return;
            }
        }
    }
}
