//! The I/O APIC: an index and a data register, through which software reaches a table with one redirection for each pin
//! (82093AA, 3.0).

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

/// Maximum number of pins: an index has 8 bits, and each pin takes two indices from [`INDEX_TABLE`] on.
const PINS_MAX: u32 = (0x100 - INDEX_TABLE) / 2;

/// The version register that was read is not that of an I/O APIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoIoApic {
    /// The value of the version register.
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
        /// The pin that was given.
        pin: u32,
        /// Number of pins, from 0 on.
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

/// What [`IoApic::clear_remote_irr`] found and did. Remote IRR marks a level interrupt that was delivered and not
/// ended; while it is set, the pin delivers no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteIrr {
    /// It was not set.
    WasClear,
    /// It was set, and is clear now.
    Cleared,
    /// It is still set.
    Stuck,
}

/// What [`IoApic::seize`] did. Pins that the firmware uses (SMI) are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seized {
    /// Pins that were unmasked and are masked now.
    pub masked: u32,
    /// Pins whose Remote IRR was set and is clear now.
    pub stuck_cleared: u32,
    /// Pins whose Remote IRR could not be cleared; they deliver no interrupt.
    pub still_stuck: u32,
}

/// An I/O APIC. Methods take `&mut self`, because each access writes the index first and the data second.
#[derive(Debug)]
pub struct IoApic<M: Mmio = MmioRegion> {
    window: M,
    version: u8,
    pin_count: u32,
}

impl IoApic {
    /// Makes a handle of the I/O APIC whose registers are mapped at `base`.
    ///
    /// # Errors
    /// [`NoIoApic`] if there is none.
    ///
    /// # Safety
    /// While the value is used, `base` is where an I/O APIC's page is mapped uncached, in every address space it is
    /// used from, and nothing else uses the registers.
    pub unsafe fn new(base: *mut u8) -> Result<Self, NoIoApic> {
        // SAFETY: the caller promises what `MmioRegion::new` demands.
        Self::with_window(unsafe { MmioRegion::new(base, WINDOW_BYTES) })
    }
}

impl<M: Mmio> IoApic<M> {
    /// Makes a handle of an I/O APIC behind another window than the machine's, such as a fake.
    ///
    /// # Errors
    /// [`NoIoApic`] if there is none.
    pub fn with_window(window: M) -> Result<Self, NoIoApic> {
        let mut it = Self {
            window,
            version: 0,
            pin_count: 0,
        };
        let version_register = it.read_indexed(INDEX_VERSION);
        it.version = version_register as u8;
        it.pin_count = (version_register >> 16 & 0xff) + 1;
        // Unmapped buses read as all ones or all zeros. A low version is no fault: some chipsets report 3.
        if version_register == 0 || it.pin_count > PINS_MAX {
            return Err(NoIoApic { version_register });
        }
        Ok(it)
    }

    /// Returns its version.
    pub const fn version(&self) -> u8 {
        self.version
    }

    /// Returns the number of pins, from 0 on.
    pub const fn pin_count(&self) -> u32 {
        self.pin_count
    }

    /// Reads the route of `pin`.
    ///
    /// # Errors
    /// [`RouteError::Pin`].
    pub fn read(&mut self, pin: u32) -> Result<Redirection, RouteError> {
        self.check(pin)?;
        Ok(self.read_entry(pin))
    }

    /// Routes `pin`. The pin is masked while its entry changes, so that no interrupt takes a half-written route.
    ///
    /// # Errors
    /// [`RouteError`] if there is no such pin, or if an unmasked route goes to an exception's vector or to all
    /// processors. Nothing was written.
    pub fn write(&mut self, pin: u32, redirection: Redirection) -> Result<(), RouteError> {
        self.check(pin)?;
        check_route(redirection)?;
        self.write_low(pin, redirection.masked(true));
        self.write_indexed(INDEX_TABLE + 2 * pin + 1, (redirection.raw() >> 32) as u32);
        self.write_low(pin, redirection);
        Ok(())
    }

    /// Masks every pin, except those the firmware uses as SMI.
    pub fn mask_all(&mut self) {
        for pin in 0..self.pin_count {
            let entry = self.read_entry(pin);
            if entry.delivery() != Delivery::Smi {
                self.mask_entry(pin, entry);
            }
        }
    }

    /// Masks `pin` and clears its Remote IRR. A processor that died while it handled a level interrupt has left it set.
    ///
    /// # Errors
    /// [`RouteError::Pin`].
    pub fn clear_remote_irr(&mut self, pin: u32) -> Result<RemoteIrr, RouteError> {
        self.check(pin)?;
        let entry = self.read_entry(pin);
        // Remote IRR is read after the mask is set, because an interrupt may be accepted until then.
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

    /// Takes every pin from a dead kernel: masks all, then clears each Remote IRR that is set. Leaves pins alone that
    /// the firmware uses as SMI. The caller then routes the pins it needs.
    pub fn seize(&mut self) -> Seized {
        let (mut masked, mut stuck, mut still_stuck) = (0, 0, 0);
        for pin in 0..self.pin_count {
            let entry = self.read_entry(pin);
            if entry.delivery() != Delivery::Smi {
                masked += u32::from(!entry.is_masked());
                stuck += u32::from(self.mask_entry(pin, entry).remote_irr());
            }
        }
        // Clearing one pin may clear others with the same vector: so all are counted before any is cleared.
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

    /// Clears the Remote IRR of a masked entry by every means there is, and returns whether it is clear. The trigger
    /// mode ends as it was.
    fn clear_masked(&mut self, pin: u32, entry: Redirection) -> bool {
        let level = entry.level_triggered(true);
        if self.version >= VERSION_WITH_EOI {
            // The end-of-interrupt register affects level entries only. This entry's kernel may have died in the middle
            // of the change below, which makes it an edge entry for a moment.
            if entry.trigger() == Trigger::Edge {
                self.write_low(pin, level);
            }
            self.window.write(WINDOW_EOI, u32::from(entry.vector()));
        }
        if self.read_entry(pin).remote_irr() {
            // An edge entry has no Remote IRR. This serves versions without the register, and entries whose vector was
            // changed after the interrupt.
            self.write_low(pin, entry.level_triggered(false));
            self.write_low(pin, level);
        }
        if entry.trigger() == Trigger::Edge {
            self.write_low(pin, entry);
        }
        !self.read_entry(pin).remote_irr()
    }

    /// Masks a pin and reads its entry back, which also makes sure that the mask has arrived.
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

/// Checks an unmasked route. A masked one goes nowhere, so any entry that was read may be written back masked.
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
