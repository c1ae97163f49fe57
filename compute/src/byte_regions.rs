//! Regions whose number is known at run time only, for programs in other languages.

use core::array;

use crate::part::{Next, Part, Written};
use crate::region::{Place, REGIONS_MAX, Region, Regions, Spec};

/// Regions of bytes. A step of them is given one part for each, in their order.
#[derive(Clone, Copy, Debug)]
pub struct ByteRegions([Option<Region<u8>>; REGIONS_MAX]);

impl ByteRegions {
    /// Takes the regions; `None` if there are none, or more than [`REGIONS_MAX`].
    pub fn new(mut regions: impl ExactSizeIterator<Item = Region<u8>>) -> Option<Self> {
        let is_possible = (1..=REGIONS_MAX).contains(&regions.len());
        is_possible.then(|| Self(array::from_fn(|_| regions.next())))
    }
}

impl Regions for ByteRegions {
    type Parts<'s> = [Option<Part<'s, u8>>; REGIONS_MAX];
    type Nexts<'s> = [Option<Next<'s, u8>>; REGIONS_MAX];
    type Written<'s> = [Option<Written<'s, u8>>; REGIONS_MAX];

    fn specs(&self) -> [Option<Spec>; REGIONS_MAX] {
        self.0.map(|region| region.map(|it| it.spec()))
    }

    #[allow(unsafe_code)]
    unsafe fn parts<'s>(&self, place: &Place<'_, '_>) -> Self::Parts<'s> {
        // SAFETY: the caller's promise.
        array::from_fn(|index| self.0[index].map(|it| unsafe { place.part(&it, index) }))
    }

    #[allow(unsafe_code)]
    unsafe fn nexts<'s>(&self, place: &Place<'_, '_>) -> Self::Nexts<'s> {
        // SAFETY: the caller's promise.
        array::from_fn(|index| self.0[index].map(|it| unsafe { place.next(&it, index) }))
    }

    fn sum(&self, place: &Place<'_, '_>) -> u64 {
        let regions = self.0.iter().flatten().enumerate();
        regions.fold(place.step, |seed, (index, it)| place.sum(it, index, seed))
    }
}
