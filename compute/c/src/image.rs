//! The way into an image that is a program in C and this library.

use core::ffi::{c_char, c_int};

use compute::{Error, Rank};
use compute_slice::SliceControl;

use crate::program::{self, Handle};

#[expect(
    improper_ctypes,
    reason = "the program only hands the pointer back to the functions of `compute.h`"
)]
unsafe extern "C" {
    /// Runs the program.
    fn compute_main(c: *mut Handle<'_, '_>, arguments: *const c_char) -> c_int;
}

/// Enters rank `rank` of the slice.
#[unsafe(no_mangle)]
extern "C" fn compute_entry(control: *const SliceControl, rank: u64, _generation: u64) -> ! {
    // SAFETY: the monitor enters here, once per rank, as `compute_slice` says.
    unsafe { compute_node::enter(control, rank, program) }
}

fn program(rank: &mut Rank<'_>, arguments: &str) -> Result<u8, Error> {
    // SAFETY: who links a program with this library promises what `compute.h` says.
    unsafe { program::run(rank, arguments, compute_main) }
}
