//! Sets of cores that may be fenced.

use core::fmt;

use sharedmem::MAX_CORES;

const _: () = assert!(
    MAX_CORES <= u32::BITS as usize,
    "a set of cores is a word of 32 bits"
);

/// The core the monitor runs on: the BSP. It is in no [`CoreSet`], because INIT would restart it in the firmware.
pub const SEAT: u32 = 0;

/// A set of machine cores other than the seat, numbered 1 to [`MAX_CORES`]` - 1`. Because the seat cannot be in one, no
/// fence can stop it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoreSet(u32);

/// Why a core cannot be in a [`CoreSet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoreError {
    /// It is the seat.
    Seat,
    /// The number is [`MAX_CORES`] or above.
    OutOfRange(u32),
}

impl fmt::Display for CoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = MAX_CORES - 1;
        match self {
            Self::Seat => write!(
                f,
                "core {SEAT} is the monitor's seat and cannot be fenced; use cores 1 to {last}"
            ),
            Self::OutOfRange(core) => write!(f, "there is no core {core}; use cores 1 to {last}"),
        }
    }
}

impl core::error::Error for CoreError {}

impl CoreSet {
    /// No core.
    pub const EMPTY: Self = Self(0);

    /// Makes a set of the listed cores; one that is listed twice counts once.
    ///
    /// # Errors
    /// Returns the first core that cannot be fenced: the seat, or a number out of range.
    pub fn from_cores(cores: impl IntoIterator<Item = u32>) -> Result<Self, CoreError> {
        cores
            .into_iter()
            .try_fold(Self::EMPTY, |set, core| match core {
                SEAT => Err(CoreError::Seat),
                core if core as usize >= MAX_CORES => Err(CoreError::OutOfRange(core)),
                core => Ok(Self(set.0 | 1 << core)),
            })
    }

    /// Returns whether `core` is in the set; false for a number out of range.
    pub const fn contains(self, core: u32) -> bool {
        (core as usize) < MAX_CORES && self.0 & (1 << core) != 0
    }

    /// Returns the set without `core`.
    #[must_use]
    pub const fn without(self, core: u32) -> Self {
        if self.contains(core) {
            Self(self.0 & !(1 << core))
        } else {
            self
        }
    }

    /// Returns the cores of both sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the lowest-numbered core.
    pub const fn first(self) -> Option<u32> {
        if self.is_empty() {
            None
        } else {
            Some(self.0.trailing_zeros())
        }
    }

    /// Returns the set without its lowest-numbered core.
    #[must_use]
    pub const fn without_first(self) -> Self {
        Self(self.0 & self.0.wrapping_sub(1))
    }

    /// Returns the number of cores.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Returns whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Iterates over the cores, lowest first.
    pub fn iter(self) -> impl Iterator<Item = u32> {
        (0..MAX_CORES as u32).filter(move |core| self.contains(*core))
    }
}

/// Writes `1, 2, 5`, or `none`.
impl fmt::Display for CoreSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        for (index, core) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{core}")?;
        }
        Ok(())
    }
}
