//! Sets of cores that may be fenced.

use core::fmt;

use sharedmem::MAX_CORES;

const WORDS: usize = MAX_CORES.div_ceil(u64::BITS as usize);

/// The core the monitor runs on: the BSP. It is in no [`CoreSet`], because INIT would restart it in the firmware.
pub const SEAT: u32 = 0;

/// A set of machine cores other than the seat, numbered 1 to [`MAX_CORES`]` - 1`. Because the seat cannot be in one, no
/// fence can stop it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoreSet([u64; WORDS]);

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
    pub const EMPTY: Self = Self([0; WORDS]);

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
                core => Ok(set.with(core)),
            })
    }

    /// Returns the set with a core whose number is in range.
    fn with(mut self, core: u32) -> Self {
        let (word, bit) = place(core);
        self.0[word] |= bit;
        self
    }

    /// Returns whether `core` is in the set; false for a number out of range.
    pub fn contains(self, core: u32) -> bool {
        let (word, bit) = place(core);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Returns the set without `core`.
    #[must_use]
    pub fn without(mut self, core: u32) -> Self {
        let (word, bit) = place(core);
        if let Some(word) = self.0.get_mut(word) {
            *word &= !bit;
        }
        self
    }

    /// Returns the cores of both sets.
    #[must_use]
    pub fn union(mut self, other: Self) -> Self {
        for (word, others) in self.0.iter_mut().zip(other.0) {
            *word |= others;
        }
        self
    }

    /// Returns the lowest-numbered core.
    pub fn first(self) -> Option<u32> {
        self.iter().next()
    }

    /// Returns the set without its lowest-numbered core.
    #[must_use]
    pub fn without_first(self) -> Self {
        self.first().map_or(self, |core| self.without(core))
    }

    /// Returns the number of cores.
    pub fn len(self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Returns whether the set is empty.
    pub fn is_empty(self) -> bool {
        self.0 == [0; WORDS]
    }

    /// Iterates over the cores, lowest first.
    pub fn iter(self) -> impl Iterator<Item = u32> {
        (0..).zip(self.0).flat_map(|(index, word)| Bits {
            word,
            base: index * u64::BITS,
        })
    }
}

/// Returns the word that a core is in, and its bit there.
const fn place(core: u32) -> (usize, u64) {
    ((core / u64::BITS) as usize, 1 << (core % u64::BITS))
}

/// Iterates over the bits of a word that are set, as numbers from `base` on.
struct Bits {
    word: u64,
    base: u32,
}

impl Iterator for Bits {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let number = (self.word != 0).then(|| self.base + self.word.trailing_zeros())?;
        self.word &= self.word - 1;
        Some(number)
    }
}

/// Writes `1-3, 5`, or `none`.
impl fmt::Display for CoreSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        let mut cores = self.iter().peekable();
        let mut separator = "";
        while let Some(first) = cores.next() {
            let mut last = first;
            while cores.next_if_eq(&(last + 1)).is_some() {
                last += 1;
            }
            write!(f, "{separator}{first}")?;
            if last > first {
                write!(f, "-{last}")?;
            }
            separator = ", ";
        }
        Ok(())
    }
}
