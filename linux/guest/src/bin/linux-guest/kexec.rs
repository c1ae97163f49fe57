//! Does what `kexec -e` does.

use std::ffi::{c_int, c_ulong, c_void};
use std::io;
use std::ptr;

const PAGE_BYTES: usize = 4096;

/// Where the page is to go: memory that every kernel has.
const PLACE: usize = 32 << 20;

/// `struct kexec_segment` of kexec_load(2).
#[repr(C)]
struct Segment {
    buffer: *const c_void,
    buffer_bytes: usize,
    memory: *const c_void,
    memory_bytes: usize,
}

/// Loads a page of zeros as the next kernel, and jumps to it. Nobody is to get there: a kernel beside another one ends
/// in the monitor instead. Returns only if that did not work.
///
/// # Errors
/// The system's.
pub fn execute() -> io::Result<()> {
    let page = [0_u8; PAGE_BYTES];
    let place: *const c_void = ptr::without_provenance(PLACE);
    let segment = Segment {
        buffer: page.as_ptr().cast(),
        buffer_bytes: PAGE_BYTES,
        memory: place,
        memory_bytes: PAGE_BYTES,
    };
    let (count, flags): (c_ulong, c_ulong) = (1, 0);
    // SAFETY: the arguments have the types of kexec_load(2); the segment and its page outlive the call.
    let loaded = unsafe {
        libc::syscall(
            libc::SYS_kexec_load,
            place,
            count,
            &raw const segment,
            flags,
        )
    };
    if loaded != 0 {
        return Err(io::Error::last_os_error());
    }
    let jump = libc::LINUX_REBOOT_CMD_KEXEC as c_int;
    // SAFETY: reboot(2) takes a number; whoever asked wants this kernel to end.
    match unsafe { libc::reboot(jump) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
