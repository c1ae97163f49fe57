//! The memory functions that compiled code calls, and that a freestanding target has no library for.
//!
//! They are written with string instructions, so that the compiler cannot turn them into calls of themselves.

use core::arch::asm;

/// Copies `count` bytes that do not overlap, as `memcpy` of C.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcpy(destination: *mut u8, source: *const u8, count: usize) -> *mut u8 {
    // SAFETY: the caller vouches for `count` bytes on both sides. Copies upwards, because the ABI keeps the direction
    // flag clear.
    unsafe {
        asm!(
            "rep movsq",
            "mov ecx, {rest:e}",
            "rep movsb",
            rest = in(reg) count & 7,
            inout("rcx") count >> 3 => _,
            inout("rdi") destination => _,
            inout("rsi") source => _,
            options(nostack, preserves_flags)
        );
    }
    destination
}

/// Copies `count` bytes that may overlap, as `memmove` of C.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memmove(destination: *mut u8, source: *const u8, count: usize) -> *mut u8 {
    if (destination as usize).wrapping_sub(source as usize) >= count {
        // SAFETY: the destination does not begin inside the source, so an upward copy reads each byte before
        // overwriting it.
        return unsafe { memcpy(destination, source, count) };
    }
    // SAFETY: the caller vouches for the bytes; the direction flag is cleared again after the downward copy.
    unsafe {
        asm!(
            "std",
            "rep movsb",
            "cld",
            inout("rcx") count => _,
            inout("rdi") destination.wrapping_add(count).wrapping_sub(1) => _,
            inout("rsi") source.wrapping_add(count).wrapping_sub(1) => _,
            options(nostack)
        );
    }
    destination
}

/// Fills `count` bytes, as `memset` of C.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memset(destination: *mut u8, value: i32, count: usize) -> *mut u8 {
    let word = u64::from(value as u8) * 0x0101_0101_0101_0101;
    // SAFETY: the caller vouches for `count` writable bytes.
    unsafe {
        asm!(
            "rep stosq",
            "mov ecx, {rest:e}",
            "rep stosb",
            rest = in(reg) count & 7,
            inout("rcx") count >> 3 => _,
            inout("rdi") destination => _,
            in("rax") word,
            options(nostack, preserves_flags)
        );
    }
    destination
}

/// Compares `count` bytes, as `memcmp` of C.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    let mut index = 0;
    // The first loop skips equal words; the second finds the byte that differs, and handles the rest.
    // SAFETY: reads stay below `count`, which the caller vouches for.
    unsafe {
        while index + 8 <= count
            && left.add(index).cast::<u64>().read_unaligned()
                == right.add(index).cast::<u64>().read_unaligned()
        {
            index += 8;
        }
        while index < count {
            let (l, r) = (left.add(index).read(), right.add(index).read());
            if l != r {
                return i32::from(l) - i32::from(r);
            }
            index += 1;
        }
    }
    0
}

/// Returns 0 if `count` bytes are equal, as `bcmp` of C.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    // SAFETY: the contract of `memcmp` is the same.
    unsafe { memcmp(left, right, count) }
}

/// Returns the length of a string that ends with a zero, as `strlen` of C.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut length = 0;
    // SAFETY: the caller vouches for the zero. Volatile reads keep the compiler from making the loop a call of itself.
    while unsafe { text.add(length).read_volatile() } != 0 {
        length += 1;
    }
    length
}

/// Does nothing: the linker needs the symbol, but nothing here unwinds.
#[unsafe(no_mangle)]
pub extern "C" fn rust_eh_personality() {}

/// Stops the core: the precompiled libraries name it in landing pads, which are never reached.
#[unsafe(no_mangle)]
pub extern "C" fn _Unwind_Resume() -> ! {
    crate::cpu::stop()
}
