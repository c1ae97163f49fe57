//! The slice's memory. From `data_start` on it is the computation's; the end of that is this kernel's: first the heap,
//! then the tables of each core.

use arch::descriptors::CoreTables;
use compute::Memory;
use compute_slice::{SliceControl, SliceError, SliceParameters};
use sharedmem::abi::DIRECT_BASE;

/// What this kernel keeps of a core. The number comes first, because GS points there.
#[repr(C, align(4096))]
pub struct CoreArea {
    pub number: u64,
    pub tables: CoreTables,
}

/// The slice, as one of its cores sees it.
pub struct Slice {
    pub parameters: SliceParameters,
    /// What the computation has.
    pub memory: Memory<'static>,
    /// Start and length of the heap.
    pub heap: (*mut u8, usize),
    /// The area of the first core; the others follow.
    pub cores: *mut CoreArea,
}

/// Part of the data that is heap: the solvers' own arrays.
const HEAP_SHARE: u64 = 4;

impl Slice {
    /// Divides the slice.
    ///
    /// # Errors
    /// The hand-off cannot be true, or the slice is too small.
    pub fn of(control: &'static SliceControl) -> Result<Self, SliceError> {
        let parameters = control.entered()?;
        // The monitor maps the control block and the data where physical addresses are mapped.
        let start = core::ptr::from_ref(control) as u64;
        debug_assert!(start >= DIRECT_BASE);
        let end = start + parameters.slice_bytes;
        let areas = parameters.ranks * size_of::<CoreArea>() as u64;
        let data = start + parameters.data_start;
        let free = parameters.data_bytes().checked_sub(areas);
        let free = free.ok_or(SliceError::Data(parameters.data_start))?;
        let heap = (free / HEAP_SHARE) & !4095;
        let cores = (end - areas) & !4095;
        // SAFETY: the monitor maps the data for as long as this kernel runs, page-aligned. They are this computation's,
        // and each core makes the same `Memory` of them: what lies behind is not in it.
        let memory = unsafe {
            Memory::new(
                control,
                parameters.slice_bytes,
                data as *mut u8,
                cores - heap - data,
            )?
        };
        Ok(Self {
            parameters,
            memory,
            heap: ((cores - heap) as *mut u8, heap as usize),
            cores: cores as *mut CoreArea,
        })
    }
}
