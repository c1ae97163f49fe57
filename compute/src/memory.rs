//! The block of memory that a computation has. Only here does raw memory become regions.

use core::marker::PhantomData;
use core::mem::align_of;
use core::ops::Range;
use core::slice;

use compute_slice::{SliceControl, SliceError, SliceParameters};
use sharedmem::sync::AtomicU64;

use crate::directory;
use crate::region::Element;

/// The memory of a computation: control block and data.
#[derive(Debug)]
pub struct Memory<'m> {
    control: &'m SliceControl,
    parameters: SliceParameters,
    data: *mut u8,
    bytes: u64,
    lent: PhantomData<&'m [AtomicU64]>,
}

// SAFETY: the data are handed out as atomics, or by methods whose callers answer for exclusive use.
#[allow(unsafe_code)]
unsafe impl Sync for Memory<'_> {}

/// Alignment of what lies in the data, in bytes: a page.
pub(crate) const ALIGNMENT: u64 = 4096;

impl<'m> Memory<'m> {
    /// Takes over the memory of a computation: its control block, and `bytes` bytes at `data`.
    ///
    /// # Errors
    /// What of the hand-off cannot be true.
    ///
    /// # Safety
    /// `data` is 4 KiB aligned, and the `bytes` bytes there are mapped, readable and writable for `'m`. They are used
    /// by the ranks of one computation alone, each of which enters once, and all through equal `Memory`s.
    #[allow(unsafe_code)]
    pub unsafe fn new(
        control: &'m SliceControl,
        slice_bytes: u64,
        data: *mut u8,
        bytes: u64,
    ) -> Result<Self, SliceError> {
        let parameters = control.check(slice_bytes)?;
        let ranks = parameters.ranks as usize;
        if bytes > parameters.data_bytes() || bytes < directory::bytes(ranks) {
            return Err(SliceError::Bytes(bytes));
        }
        Ok(Self {
            control,
            parameters,
            data,
            bytes,
            lent: PhantomData,
        })
    }

    /// Returns the control block.
    pub fn control(&self) -> &'m SliceControl {
        self.control
    }

    /// Returns what the computation was entered with.
    pub fn parameters(&self) -> &SliceParameters {
        &self.parameters
    }

    /// Returns the number of ranks.
    pub fn ranks(&self) -> usize {
        self.parameters.ranks as usize
    }

    /// Returns the length of the data, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns `count` words at `offset` in the data.
    ///
    /// # Safety
    /// No region lies there.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn words(&self, offset: u64, count: usize) -> &'m [AtomicU64] {
        self.check::<AtomicU64>(offset, count);
        // SAFETY: the words lie in the data, which live for 'm, and are only used as atomics, by the caller's promise.
        unsafe { slice::from_raw_parts(self.data.add(offset as usize).cast(), count) }
    }

    /// Returns elements `range` of an array at `offset`, to be read.
    ///
    /// # Safety
    /// Nobody writes there during `'s`.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn read<'s, T: Element>(&self, offset: u64, range: Range<usize>) -> &'s [T] {
        let place = self.place(offset, &range);
        // SAFETY: the place is in the data, and constant during 's; any bytes are a `T`.
        unsafe { slice::from_raw_parts(place, range.len()) }
    }

    /// Returns elements `range` of an array at `offset`, to be written.
    ///
    /// # Safety
    /// Nobody else reads or writes there during `'s`.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn write<'s, T: Element>(
        &self,
        offset: u64,
        range: Range<usize>,
    ) -> &'s mut [T] {
        let place = self.place(offset, &range);
        // SAFETY: the place is in the data, and the caller's alone during 's; any bytes are a `T`.
        unsafe { slice::from_raw_parts_mut(place, range.len()) }
    }

    fn place<T>(&self, offset: u64, range: &Range<usize>) -> *mut T {
        self.check::<T>(offset, range.end);
        // Inside of the data, as was just checked.
        self.data
            .wrapping_add(offset as usize)
            .cast::<T>()
            .wrapping_add(range.start)
    }

    /// Checks that an array of `count` elements lies in the data. A layout that was made for this memory does.
    fn check<T>(&self, offset: u64, count: usize) {
        assert!(
            align_of::<T>() as u64 <= ALIGNMENT && offset.is_multiple_of(align_of::<T>() as u64)
        );
        let bytes = (count as u64).checked_mul(size_of::<T>() as u64);
        let end = bytes.and_then(|bytes| offset.checked_add(bytes));
        assert!(end.is_some_and(|end| end <= self.bytes));
    }
}
