//! Calls of the system that the standard library does not offer, but for poll(2).

use std::ffi::{CStr, c_char, c_int, c_ulong, c_void};
use std::io;
use std::os::fd::AsRawFd;
use std::ptr;

/// `MS_RDONLY` of sys/mount.h.
pub const READ_ONLY: c_ulong = 1;

unsafe extern "C" {
    fn ioctl(fd: c_int, request: c_ulong, argument: *mut c_void) -> c_int;
    fn mount(
        source: *const c_char,
        target: *const c_char,
        kind: *const c_char,
        flags: c_ulong,
        data: *const c_void,
    ) -> c_int;
    fn umount2(target: *const c_char, flags: c_int) -> c_int;
}

/// ioctl(2) with an argument in memory, which the request reads or writes. Pointers in it are not followed for any request this program makes.
///
/// # Errors
/// The system's.
pub fn control<const N: usize>(
    file: &impl AsRawFd,
    request: u32,
    argument: &mut [u8; N],
) -> io::Result<()> {
    const { assert!(N >= 4) };
    // SAFETY: the descriptor is open, and the argument is N bytes that are borrowed for the call. The requests of this program (those of
    // `stamp` and `network`) read or write the structure whose size their caller gives to N, and no request is passed on from outside.
    let outcome = unsafe {
        ioctl(
            file.as_raw_fd(),
            request.into(),
            argument.as_mut_ptr().cast(),
        )
    };
    answer(outcome)
}

/// mount(2) of an ext4.
///
/// # Errors
/// The system's.
pub fn mount_ext4(source: &CStr, target: &CStr, flags: c_ulong, options: &CStr) -> io::Result<()> {
    // SAFETY: all four are strings that end with a zero and live through the call, which keeps none of them.
    let outcome = unsafe {
        mount(
            source.as_ptr(),
            target.as_ptr(),
            c"ext4".as_ptr(),
            flags,
            match options.is_empty() {
                true => ptr::null(),
                false => options.as_ptr().cast(),
            },
        )
    };
    answer(outcome)
}

/// umount(2).
///
/// # Errors
/// The system's.
pub fn unmount(target: &CStr) -> io::Result<()> {
    // SAFETY: a string that ends with a zero and lives through the call.
    answer(unsafe { umount2(target.as_ptr(), 0) })
}

fn answer(outcome: c_int) -> io::Result<()> {
    match outcome {
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
