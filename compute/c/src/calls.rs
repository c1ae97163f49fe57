//! The functions that a program in C calls. Each takes the pointer that the program was given, and pointers of the
//! program that are as `compute.h` says.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::slice;

use compute::{Error, Rank, VALUES_MAX};

use crate::program::{Body, CRegion, Handle};

/// Makes steps; see `compute.h`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn compute_run(
    c: *mut Handle<'_, '_>,
    regions: *const CRegion,
    count: usize,
    steps: u64,
    begin: Body,
    step: Body,
    context: *mut c_void,
) -> c_int {
    // SAFETY: the header's promise.
    unsafe {
        attempt(c, |handle| {
            let regions = slice::from_raw_parts(regions, count);
            handle.make_steps(regions, steps, [begin, step], context)
        })
    }
}

/// Returns the rank's number.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn compute_rank(c: *const Handle<'_, '_>) -> usize {
    // SAFETY: the header's promise.
    unsafe { (*c).rank.number() }
}

/// Returns the number of ranks.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn compute_ranks(c: *const Handle<'_, '_>) -> usize {
    // SAFETY: the header's promise.
    unsafe { (*c).rank.ranks() }
}

/// Returns the time since the machine's boot, in ns.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn compute_now_ns(c: *const Handle<'_, '_>) -> u64 {
    // SAFETY: the header's promise.
    unsafe { (*c).rank.now_ns() }
}

/// Waits for all ranks.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn compute_barrier(c: *mut Handle<'_, '_>) -> c_int {
    // SAFETY: the header's promise.
    unsafe { attempt(c, |handle| handle.rank.barrier()) }
}

/// Replaces values by their sums over all ranks.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn compute_sum(
    c: *mut Handle<'_, '_>,
    values: *mut f64,
    count: usize,
) -> c_int {
    // SAFETY: the header's promise.
    unsafe { exchange(c, values, count, |rank, values| rank.sums(values)) }
}

/// Replaces values by the largest ones of all ranks.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn compute_max(
    c: *mut Handle<'_, '_>,
    values: *mut f64,
    count: usize,
) -> c_int {
    let max = |rank: &mut Rank<'_>, values| rank.reduce(values, f64::max);
    // SAFETY: the header's promise.
    unsafe { exchange(c, values, count, max) }
}

/// Replaces values by those of rank `root`.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn compute_broadcast(
    c: *mut Handle<'_, '_>,
    root: usize,
    values: *mut f64,
    count: usize,
) -> c_int {
    let broadcast = |rank: &mut Rank<'_>, values| match root < rank.ranks() {
        true => rank.broadcast(root, values),
        false => Err(Error::Program("a broadcast comes from a rank")),
    };
    // SAFETY: the header's promise.
    unsafe { exchange(c, values, count, broadcast) }
}

/// Says that a long piece of work goes on.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn compute_beat(c: *const Handle<'_, '_>) {
    // SAFETY: the header's promise.
    unsafe { (*c).rank.beat() }
}

/// Appends a line to the log.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn compute_log(c: *const Handle<'_, '_>, line: *const c_char) {
    // SAFETY: the header's promise.
    let (rank, line) = unsafe { (&(*c).rank, CStr::from_ptr(line)) };
    rank.log(format_args!("{}", line.to_string_lossy()));
}

/// Does something unless the rank has found an error already, and keeps the one that it finds.
///
/// # Safety
/// `c` is what the program was given.
unsafe fn attempt<'r, 'm>(
    c: *mut Handle<'r, 'm>,
    what: impl FnOnce(&mut Handle<'r, 'm>) -> Result<(), Error>,
) -> c_int {
    // SAFETY: the caller's promise; the program waits meanwhile.
    let handle = unsafe { &mut *c };
    if handle.error.is_none() {
        handle.error = what(handle).err();
    }
    c_int::from(handle.error.is_some())
}

/// Lets an operation replace up to six values.
///
/// # Safety
/// As for [`attempt`]; `values` are `count` values of the program's.
unsafe fn exchange<'m>(
    c: *mut Handle<'_, 'm>,
    values: *mut f64,
    count: usize,
    operation: impl FnOnce(&mut Rank<'m>, [f64; VALUES_MAX]) -> Result<[f64; VALUES_MAX], Error>,
) -> c_int {
    let what = |handle: &mut Handle<'_, 'm>| {
        if count > VALUES_MAX {
            return Err(Error::Program("an operation takes up to six values"));
        }
        // SAFETY: the caller's promise.
        let own = unsafe { slice::from_raw_parts_mut(values, count) };
        let mut all = [0.0; VALUES_MAX];
        all[..count].copy_from_slice(own);
        let all = operation(handle.rank, all)?;
        own.copy_from_slice(&all[..count]);
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { attempt(c, what) }
}
