//! An entry of the redirection table (82093AA, 3.2.4).

use core::fmt;

const DELIVERY_SHIFT: u32 = 8;
const DELIVERY: u64 = 7 << DELIVERY_SHIFT;
const LOGICAL: u64 = 1 << 11;
const SEND_PENDING: u64 = 1 << 12;
const ACTIVE_LOW: u64 = 1 << 13;
const REMOTE_IRR: u64 = 1 << 14;
const LEVEL: u64 = 1 << 15;
const MASKED: u64 = 1 << 16;
const DESTINATION_SHIFT: u32 = 56;

/// Bits that only the I/O APIC sets.
const READ_ONLY: u64 = SEND_PENDING | REMOTE_IRR;

/// How an interrupt is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// With its vector, to the destination.
    Fixed,
    /// With its vector, to the one of lowest priority among the destinations.
    LowestPriority,
    /// As a system-management interrupt, to the firmware.
    Smi,
    /// As a non-maskable interrupt.
    Nmi,
    /// As INIT.
    Init,
    /// As the 8259 delivers it.
    ExtInt,
    /// A reserved code: 3 or 6.
    Reserved(u8),
}

/// What the destination is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DestinationMode {
    /// An APIC id.
    Physical,
    /// A set of processors by their logical ids.
    Logical,
}

/// When a pin triggers an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// When it becomes active.
    Edge,
    /// As long as it is active.
    Level,
}

/// Which level of a pin is the active one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polarity {
    /// High.
    ActiveHigh,
    /// Low.
    ActiveLow,
}

/// The route of a pin's interrupt. It keeps all 64 bits of what was read, reserved ones included.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Redirection(u64);

impl Redirection {
    /// Makes an unmasked route with `vector` to the processor whose APIC id is `destination`; edge-triggered, active
    /// high.
    pub const fn fixed(vector: u8, destination: u8) -> Self {
        Self((destination as u64) << DESTINATION_SHIFT | vector as u64)
    }

    /// Makes a route of an entry's 64 bits: bits 0 to 31 are the low word, 32 to 63 the high one.
    pub const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// Returns all 64 bits.
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// Returns the bits to write to the table: all but those that only the I/O APIC sets.
    pub(super) const fn written(self) -> u64 {
        self.0 & !READ_ONLY
    }

    /// Sets or clears the mask.
    #[must_use]
    pub const fn masked(self, is_masked: bool) -> Self {
        self.with(MASKED, is_masked)
    }

    /// Makes the route level-triggered or edge-triggered.
    #[must_use]
    pub const fn level_triggered(self, is_level: bool) -> Self {
        self.with(LEVEL, is_level)
    }

    /// Makes the pin active low or active high.
    #[must_use]
    pub const fn active_low(self, is_low: bool) -> Self {
        self.with(ACTIVE_LOW, is_low)
    }

    /// Sends the interrupt to the processor whose APIC id is `destination`.
    #[must_use]
    pub const fn to(self, destination: u8) -> Self {
        let rest = self.0 & !(0xff << DESTINATION_SHIFT | LOGICAL);
        Self(rest | (destination as u64) << DESTINATION_SHIFT)
    }

    const fn with(self, bit: u64, is_set: bool) -> Self {
        Self(if is_set { self.0 | bit } else { self.0 & !bit })
    }

    /// Returns the vector.
    pub const fn vector(self) -> u8 {
        self.0 as u8
    }

    /// Returns how the interrupt is delivered.
    pub const fn delivery(self) -> Delivery {
        match (self.0 & DELIVERY) >> DELIVERY_SHIFT {
            0 => Delivery::Fixed,
            1 => Delivery::LowestPriority,
            2 => Delivery::Smi,
            4 => Delivery::Nmi,
            5 => Delivery::Init,
            7 => Delivery::ExtInt,
            code => Delivery::Reserved(code as u8),
        }
    }

    /// Returns what kind of destination it has.
    pub const fn destination_mode(self) -> DestinationMode {
        if self.0 & LOGICAL == 0 {
            DestinationMode::Physical
        } else {
            DestinationMode::Logical
        }
    }

    /// Returns the destination.
    pub const fn destination(self) -> u8 {
        (self.0 >> DESTINATION_SHIFT) as u8
    }

    /// Returns when the pin triggers an interrupt.
    pub const fn trigger(self) -> Trigger {
        if self.0 & LEVEL == 0 {
            Trigger::Edge
        } else {
            Trigger::Level
        }
    }

    /// Returns which level of the pin is the active one.
    pub const fn polarity(self) -> Polarity {
        if self.0 & ACTIVE_LOW == 0 {
            Polarity::ActiveHigh
        } else {
            Polarity::ActiveLow
        }
    }

    /// Returns whether the pin is masked.
    pub const fn is_masked(self) -> bool {
        self.0 & MASKED != 0
    }

    /// Returns whether an interrupt is on its way to the destination.
    pub const fn is_send_pending(self) -> bool {
        self.0 & SEND_PENDING != 0
    }

    /// Returns whether a level interrupt was delivered and not ended. Has no meaning for edge-triggered pins.
    pub const fn remote_irr(self) -> bool {
        self.0 & REMOTE_IRR != 0
    }
}

impl fmt::Debug for Redirection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redirection")
            .field("raw", &format_args!("{:#018x}", self.0))
            .field("vector", &self.vector())
            .field("delivery", &self.delivery())
            .field(
                "destination",
                &(self.destination_mode(), self.destination()),
            )
            .field("trigger", &self.trigger())
            .field("polarity", &self.polarity())
            .field("is_masked", &self.is_masked())
            .field("is_send_pending", &self.is_send_pending())
            .field("remote_irr", &self.remote_irr())
            .finish()
    }
}
