//! Regions: the typed, named arrays that hold a computation's state.

use core::marker::PhantomData;
use core::ops::Range;

use xxhash_rust::xxh3::xxh3_64_with_seed;
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::directory;
use crate::error::Error;
use crate::memory::{ALIGNMENT, Memory};
use crate::part::{Next, Part, Written};

/// What a region may consist of: plain numbers, arrays of them, and structures without gaps.
pub trait Element: FromBytes + IntoBytes + Immutable + Copy + Send + Sync + 'static {}

impl<T: FromBytes + IntoBytes + Immutable + Copy + Send + Sync + 'static> Element for T {}

/// What is verified of a region when a computation continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// Nothing: a commit does not read what was written.
    Off,
    /// Every commit makes a checksum of the region, and a computation continues only from memory that still has it.
    Verified,
}

/// A region: a name, a length, and how its elements are divided among the ranks.
#[derive(Clone, Copy, Debug)]
pub struct Region<T> {
    name: &'static str,
    blocks: usize,
    block: usize,
    checksum: Checksum,
    element: PhantomData<fn() -> T>,
}

impl<T: Element> Region<T> {
    /// Makes a region of `blocks` blocks of `block` elements each. Each rank has a run of whole blocks, as equal in
    /// number as can be.
    pub const fn blocks(name: &'static str, blocks: usize, block: usize) -> Self {
        Self {
            name,
            blocks,
            block,
            checksum: Checksum::Verified,
            element: PhantomData,
        }
    }

    /// Says what is verified when the computation continues; if nothing is said, everything.
    pub const fn checksum(mut self, checksum: Checksum) -> Self {
        self.checksum = checksum;
        self
    }

    fn len(&self) -> Option<usize> {
        self.blocks.checked_mul(self.block)
    }

    /// Returns the elements that a rank has.
    pub fn part_of(&self, rank: usize, ranks: usize) -> Range<usize> {
        let start = |rank: usize| (rank as u128 * self.blocks as u128 / ranks as u128) as usize;
        start(rank) * self.block..start(rank + 1) * self.block
    }

    pub(crate) fn spec(&self) -> Spec {
        Spec {
            name: self.name,
            len: self.len(),
            element_bytes: size_of::<T>() as u64,
            block: self.block,
        }
    }
}

/// What is to be known of a region without its type.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    name: &'static str,
    len: Option<usize>,
    element_bytes: u64,
    block: usize,
}

impl Spec {
    /// Returns the length of one buffer in bytes; `None` if it is not a number.
    fn bytes(&self) -> Option<u64> {
        (self.len? as u64).checked_mul(self.element_bytes)
    }
}

/// Maximum number of regions of a computation.
pub const REGIONS_MAX: usize = 6;

/// Where the regions of a computation lie.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// The places of each region's two buffers, in bytes from the beginning of the data.
    pub offsets: [[u64; 2]; REGIONS_MAX],
    /// Their lengths in bytes.
    pub bytes: [u64; REGIONS_MAX],
    /// Their names.
    pub names: [&'static str; REGIONS_MAX],
    /// How many regions there are.
    pub count: usize,
    /// What two computations have in common if one can continue the other.
    pub fingerprint: u64,
}

impl Start {
    /// Finds a place for each region.
    ///
    /// # Errors
    /// [`Error::Room`].
    pub fn of<S: Regions>(regions: &S, memory: &Memory<'_>) -> Result<Self, Error> {
        let ranks = memory.ranks();
        let mut start = Self {
            offsets: [[0; 2]; REGIONS_MAX],
            bytes: [0; REGIONS_MAX],
            names: [""; REGIONS_MAX],
            count: regions.specs().iter().flatten().count(),
            fingerprint: ranks as u64,
        };
        let present = memory.bytes();
        let mut end = directory::bytes(ranks);
        for (index, spec) in regions.specs().into_iter().flatten().enumerate() {
            let room = |needed| Error::Room {
                region: spec.name,
                needed,
                present,
            };
            let bytes = spec.bytes().ok_or(room(u64::MAX))?;
            for place in &mut start.offsets[index] {
                *place = end;
                end = end
                    .checked_add(bytes)
                    .and_then(|end| end.checked_next_multiple_of(ALIGNMENT))
                    .ok_or(room(u64::MAX))?;
            }
            if end > present {
                return Err(room(end));
            }
            (start.bytes[index], start.names[index]) = (bytes, spec.name);
            for word in [bytes, spec.element_bytes, spec.block as u64] {
                let seed = start.fingerprint;
                start.fingerprint = xxh3_64_with_seed(&word.to_le_bytes(), seed);
            }
            start.fingerprint = xxh3_64_with_seed(spec.name.as_bytes(), start.fingerprint);
        }
        // 0 is what memory has that was never used.
        start.fingerprint |= 1;
        Ok(start)
    }
}

/// Where the buffers of a step lie, for one rank.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a, 'm> {
    pub(crate) memory: &'a Memory<'m>,
    pub(crate) start: &'a Start,
    pub(crate) rank: usize,
    /// The step that is written.
    pub(crate) step: u64,
}

impl Place<'_, '_> {
    fn offset(&self, index: usize, step: u64) -> u64 {
        self.start.offsets[index][(step % 2) as usize]
    }

    #[allow(unsafe_code)]
    pub(crate) unsafe fn next<'s, T: Element>(
        &self,
        region: &Region<T>,
        index: usize,
    ) -> Next<'s, T> {
        let own = region.part_of(self.rank, self.memory.ranks());
        // SAFETY: the part of one rank, in the buffer that nobody reads in this step.
        Next::new(own.start, unsafe {
            self.memory.write(self.offset(index, self.step), own)
        })
    }

    #[allow(unsafe_code)]
    pub(crate) unsafe fn part<'s, T: Element>(
        &self,
        region: &Region<T>,
        index: usize,
    ) -> Part<'s, T> {
        let whole = 0..region.len().unwrap_or(0);
        // SAFETY: the buffer of the step before, which nobody writes before all ranks have committed this one.
        let old = unsafe { self.memory.read(self.offset(index, self.step - 1), whole) };
        // SAFETY: the caller's promise.
        Part::new(old, unsafe { self.next(region, index) })
    }

    #[allow(unsafe_code)]
    pub(crate) fn sum<T: Element>(&self, region: &Region<T>, index: usize, seed: u64) -> u64 {
        if region.checksum == Checksum::Off {
            return seed;
        }
        let own = region.part_of(self.rank, self.memory.ranks());
        // SAFETY: the rank's own part, of which it has lent nothing out.
        let own: &[T] = unsafe { self.memory.read(self.offset(index, self.step), own) };
        xxh3_64_with_seed(own.as_bytes(), seed)
    }
}

/// The regions of a computation: a tuple of [`Region`]s, or [`ByteRegions`](crate::ByteRegions).
pub trait Regions {
    /// What a step is given: a [`Part`] for each.
    type Parts<'s>;
    /// What the beginning is given: a [`Next`] for each.
    type Nexts<'s>;
    /// What both return: a [`Written`] for each.
    type Written<'s>;

    /// Returns what is to be known of each.
    #[doc(hidden)]
    fn specs(&self) -> [Option<Spec>; REGIONS_MAX];

    /// Returns the parts of a step.
    ///
    /// # Safety
    /// `'s` ends before the rank comes to the commit of the step, and this is called once a step.
    #[doc(hidden)]
    #[allow(unsafe_code)]
    unsafe fn parts<'s>(&self, place: &Place<'_, '_>) -> Self::Parts<'s>;

    /// Returns what is written at the beginning.
    ///
    /// # Safety
    /// As for `parts`.
    #[doc(hidden)]
    #[allow(unsafe_code)]
    unsafe fn nexts<'s>(&self, place: &Place<'_, '_>) -> Self::Nexts<'s>;

    /// Returns the checksum of the rank's part of a step that it has written. Called when nothing is lent out.
    #[doc(hidden)]
    fn sum(&self, place: &Place<'_, '_>) -> u64;
}

macro_rules! regions {
    ($($type:ident $index:tt),+) => {
        impl<$($type: Element),+> Regions for ($(Region<$type>,)+) {
            type Parts<'s> = ($(Part<'s, $type>,)+);
            type Nexts<'s> = ($(Next<'s, $type>,)+);
            type Written<'s> = ($(Written<'s, $type>,)+);

            fn specs(&self) -> [Option<Spec>; REGIONS_MAX] {
                let mut specs = [None; REGIONS_MAX];
                $( specs[$index] = Some(self.$index.spec()); )+
                specs
            }

            #[allow(unsafe_code)]
            unsafe fn parts<'s>(&self, place: &Place<'_, '_>) -> Self::Parts<'s> {
                // SAFETY: the caller's promise.
                unsafe { ($(place.part(&self.$index, $index),)+) }
            }

            #[allow(unsafe_code)]
            unsafe fn nexts<'s>(&self, place: &Place<'_, '_>) -> Self::Nexts<'s> {
                // SAFETY: the caller's promise.
                unsafe { ($(place.next(&self.$index, $index),)+) }
            }

            fn sum(&self, place: &Place<'_, '_>) -> u64 {
                let seed = place.step;
                $( let seed = place.sum(&self.$index, $index, seed); )+
                seed
            }
        }
    };
}

regions!(A 0);
regions!(A 0, B 1);
regions!(A 0, B 1, C 2);
regions!(A 0, B 1, C 2, D 3);
regions!(A 0, B 1, C 2, D 3, E 4);
regions!(A 0, B 1, C 2, D 3, E 4, F 5);
