//! The I/O APIC: an index and a data register through which a table of redirections is reached, one for each pin (82093AA, 3.0).

pub(crate) mod redirection;

use core::error::Error;
use core::fmt;

use self::redirection::{Delivery, DestinationMode, Redirection, Trigger};
use crate::VECTOR_MIN;
use crate::mmio::{Mmio, MmioRegion};

/// Byte offsets of the registers in the window. The end-of-interrupt register exists from version 0x20 on.
const WINDOW_INDEX: usize = 0x00;
const WINDOW_DATA: usize = 0x10;
const WINDOW_EOI: usize = 0x40;
const WINDOW_BYTES: usize = 0x44;

/// Indices of the registers behind the window.
const INDEX_VERSION: u32 = 0x01;
const INDEX_TABLE: u32 = 0x10;

/// First version with an end-of-interrupt register.
const VERSION_WITH_EOI: u8 = 0x20;

/// Most pins: an index has 8 bits, and each pin takes two from [`INDEX_TABLE`] on.
const PINS_MAX: u32 = (0x100 - INDEX_TABLE) / 2;

/// What answers is no I/O APIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoIoApic {
    /// What its version register reads.
    pub version_register: u32,
}

impl fmt::Display for NoIoApic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let register = self.version_register;
        write!(
            f,
            "I/O APIC: its version register reads {register:#010x}, which no I/O APIC with 1 to {PINS_MAX} pins does; \
             the address in the MADT must be mapped uncached"
        )
    }
}

impl Error for NoIoApic {}

/// Why a pin cannot be read or routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteError {
    /// There is no such pin.
    Pin {
        /// The pin that was asked for.
        pin: u32,
        /// How many there are, from 0 on.
        pin_count: u32,
    },
    /// The vector belongs to an exception.
    Vector(u8),
    /// The destination is "all processors".
    Broadcast,
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("I/O APIC: ")?;
        match self {
            Self::Pin { pin, pin_count } => {
                write!(f, "there is no pin {pin}; it has {pin_count}, from 0 on")
            }
            Self::Vector(vector) => {
                write!(
                    f,
                    "vector {vector} belongs to an exception; {VECTOR_MIN} to 255 would work"
                )
            }
            Self::Broadcast => {
                f.write_str("destination 0xff is all processors; an APIC id up to 0xfe would work")
            }
        }
    }
}

impl Error for RouteError {}

/// What became of a pin's Remote IRR: the mark of a level interrupt that was delivered and not ended. While it is set, the pin is silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteIrr {
    /// It was not set.
    WasClear,
    /// It was set, and is no more.
    Cleared,
    /// It is still set.
    Stuck,
}

/// What [`IoApic::seize`] did. Pins that are the firmware's (SMI) are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seized {
    /// Pins that were open and are masked now.
    pub masked: u32,
    /// Pins whose Remote IRR was set and is clear now.
    pub stuck_cleared: u32,
    /// Pins whose Remote IRR could not be cleared; they will not interrupt.
    pub still_stuck: u32,
}

/// An I/O APIC. `&mut self` throughout, as every access is a write of the index and then one of the data.
#[derive(Debug)]
pub struct IoApic<M: Mmio = MmioRegion> {
    window: M,
    version: u8,
    pin_count: u32,
}

impl IoApic {
    /// The I/O APIC whose registers are mapped at `base`.
    ///
    /// # Errors
    /// [`NoIoApic`] if none answers.
    ///
    /// # Safety
    /// `base` is where an I/O APIC's page is mapped uncached, in every address space the value is used from, as long as it is used; and
    /// nothing else uses the registers in that time.
    pub unsafe fn new(base: *mut u8) -> Result<Self, NoIoApic> {
        // SAFETY: the caller's promise.
        Self::with_window(unsafe { MmioRegion::new(base, WINDOW_BYTES) })
    }
}

impl<M: Mmio> IoApic<M> {
    /// Over another window than the machine's.
    ///
    /// # Errors
    /// [`NoIoApic`] if no I/O APIC answers.
    pub fn with_window(window: M) -> Result<Self, NoIoApic> {
        let mut it = Self {
            window,
            version: 0,
            pin_count: 0,
        };
        let version_register = it.read_indexed(INDEX_VERSION);
        it.version = version_register as u8;
        it.pin_count = (version_register >> 16 & 0xff) + 1;
        // Unmapped buses read as all ones or all zeros. Low versions are no sign of a fault: some chipsets say 3.
        if version_register == 0 || it.pin_count > PINS_MAX {
            return Err(NoIoApic { version_register });
        }
        Ok(it)
    }

    /// Its version.
    pub const fn version(&self) -> u8 {
        self.version
    }

    /// How many pins it has, from 0 on.
    pub const fn pin_count(&self) -> u32 {
        self.pin_count
    }

    /// Where `pin` goes.
    ///
    /// # Errors
    /// [`RouteError::Pin`].
    pub fn read(&mut self, pin: u32) -> Result<Redirection, RouteError> {
        self.check(pin)?;
        Ok(self.read_entry(pin))
    }

    /// Routes `pin`. It is masked while it changes, so that no interrupt goes where neither the old nor the new route points.
    ///
    /// # Errors
    /// [`RouteError`]: no such pin; or the route is open and goes to an exception's vector, or to all processors. Nothing was written.
    pub fn write(&mut self, pin: u32, redirection: Redirection) -> Result<(), RouteError> {
        self.check(pin)?;
        check_route(redirection)?;
        self.write_low(pin, redirection.masked(true));
        self.write_indexed(INDEX_TABLE + 2 * pin + 1, (redirection.raw() >> 32) as u32);
        self.write_low(pin, redirection);
        Ok(())
    }

    /// Masks every pin, but those the firmware has as SMI.
    pub fn mask_all(&mut self) {
        for pin in 0..self.pin_count {
            let entry = self.read_entry(pin);
            if entry.delivery() != Delivery::Smi {
                self.mask_entry(pin, entry);
            }
        }
    }

    /// Masks `pin` and clears its Remote IRR, which a processor that died in a level interrupt has left set.
    ///
    /// # Errors
    /// [`RouteError::Pin`].
    pub fn clear_remote_irr(&mut self, pin: u32) -> Result<RemoteIrr, RouteError> {
        self.check(pin)?;
        let entry = self.read_entry(pin);
        // Looked at after the mask: an interrupt may have been accepted until then.
        let entry = self.mask_entry(pin, entry);
        if !entry.remote_irr() {
            return Ok(RemoteIrr::WasClear);
        }
        let is_clear = self.clear_masked(pin, entry);
        Ok(if is_clear {
            RemoteIrr::Cleared
        } else {
            RemoteIrr::Stuck
        })
    }

    /// Takes every pin from a dead owner: masks all, then clears Remote IRR where it is set. Pins the firmware has as SMI are left alone.
    /// The new owner routes those it needs.
    pub fn seize(&mut self) -> Seized {
        let (mut masked, mut stuck, mut still_stuck) = (0, 0, 0);
        for pin in 0..self.pin_count {
            let entry = self.read_entry(pin);
            if entry.delivery() != Delivery::Smi {
                masked += u32::from(!entry.is_masked());
                stuck += u32::from(self.mask_entry(pin, entry).remote_irr());
            }
        }
        // All were counted before any is cleared, as clearing one may clear others with the same vector.
        for pin in 0..self.pin_count {
            let entry = self.read_entry(pin);
            if entry.delivery() != Delivery::Smi && entry.remote_irr() {
                still_stuck += u32::from(!self.clear_masked(pin, entry));
            }
        }
        Seized {
            masked,
            stuck_cleared: stuck.saturating_sub(still_stuck),
            still_stuck,
        }
    }

    /// Clears the Remote IRR of a masked entry by all means there are, and says whether it is clear. The trigger mode ends as it was.
    fn clear_masked(&mut self, pin: u32, entry: Redirection) -> bool {
        let level = entry.level_triggered(true);
        if self.version >= VERSION_WITH_EOI {
            // An end-of-interrupt looks at level entries only; this one's owner may have died half-way through the change below.
            if entry.trigger() == Trigger::Edge {
                self.write_low(pin, level);
            }
            self.window.write(WINDOW_EOI, u32::from(entry.vector()));
        }
        if self.read_entry(pin).remote_irr() {
            // An edge entry has no Remote IRR. For versions without the register, and for entries whose vector has changed since.
            self.write_low(pin, entry.level_triggered(false));
            self.write_low(pin, level);
        }
        if entry.trigger() == Trigger::Edge {
            self.write_low(pin, entry);
        }
        !self.read_entry(pin).remote_irr()
    }

    /// Masks, and reads the entry back, which also makes sure that the mask has arrived.
    fn mask_entry(&mut self, pin: u32, entry: Redirection) -> Redirection {
        self.write_low(pin, entry.masked(true));
        self.read_entry(pin)
    }

    fn check(&self, pin: u32) -> Result<(), RouteError> {
        if pin >= self.pin_count {
            return Err(RouteError::Pin {
                pin,
                pin_count: self.pin_count,
            });
        }
        Ok(())
    }

    fn read_entry(&mut self, pin: u32) -> Redirection {
        let low = self.read_indexed(INDEX_TABLE + 2 * pin);
        let high = self.read_indexed(INDEX_TABLE + 2 * pin + 1);
        Redirection::from_raw(u64::from(high) << 32 | u64::from(low))
    }

    fn write_low(&mut self, pin: u32, entry: Redirection) {
        self.write_indexed(INDEX_TABLE + 2 * pin, entry.written() as u32);
    }

    fn read_indexed(&mut self, index: u32) -> u32 {
        self.window.write(WINDOW_INDEX, index);
        self.window.read(WINDOW_DATA)
    }

    fn write_indexed(&mut self, index: u32, value: u32) {
        self.window.write(WINDOW_INDEX, index);
        self.window.write(WINDOW_DATA, value);
    }
}

/// A masked route goes nowhere, so that what was read can be put back masked, whatever it is.
fn check_route(redirection: Redirection) -> Result<(), RouteError> {
    if redirection.is_masked() {
        return Ok(());
    }
    let has_vector = matches!(
        redirection.delivery(),
        Delivery::Fixed | Delivery::LowestPriority
    );
    if has_vector && redirection.vector() < VECTOR_MIN {
        return Err(RouteError::Vector(redirection.vector()));
    }
    if redirection.destination_mode() == DestinationMode::Physical
        && redirection.destination() == 0xff
    {
        return Err(RouteError::Broadcast);
    }
    Ok(())
}
