//! The image that computes what the arguments of its slice name: one of the solvers.
#![no_std]
#![no_main]

use compute_slice::SliceControl;

/// Enters rank `rank` of the slice.
#[unsafe(no_mangle)]
extern "C" fn compute_entry(control: *const SliceControl, rank: u64, _generation: u64) -> ! {
    // SAFETY: the monitor enters here, once per rank, as `compute_slice` says.
    unsafe { compute_node::enter(control, rank, solvers::run) }
}
