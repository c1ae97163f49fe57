//! The memory functions that compiled code calls and that no library brings to a freestanding target.
//!
//! Written with string instructions, so that the compiler cannot turn them into calls of themselves.

use core::arch::asm;

/// C `memcpy`: copies `count` bytes, no overlap.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcpy(destination: *mut u8, source: *const u8, count: usize) -> *mut u8 {
    // SAFETY: the caller gives `count` bytes on both sides; words first, then the rest, upwards (DF is clear by the ABI).
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

/// C `memmove`: copies `count` bytes, overlap allowed.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memmove(destination: *mut u8, source: *const u8, count: usize) -> *mut u8 {
    if (destination as usize).wrapping_sub(source as usize) >= count {
        // SAFETY: the destination does not begin inside the source, so an upward copy reads every byte before it is overwritten.
        return unsafe { memcpy(destination, source, count) };
    }
    // SAFETY: downward copy of bytes the caller vouches for; the direction flag is put back.
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

/// C `memset`: fills `count` bytes.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memset(destination: *mut u8, value: i32, count: usize) -> *mut u8 {
    let word = u64::from(value as u8) * 0x0101_0101_0101_0101;
    // SAFETY: the caller gives `count` writable bytes; words first, then the rest.
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

/// C `memcmp`: compares `count` bytes.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    let mut index = 0;
    // Equal words are passed over eight bytes at a time; the byte loop finds the difference or handles the rest.
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

/// C `bcmp`: whether `count` bytes differ.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    // SAFETY: the same contract.
    unsafe { memcmp(left, right, count) }
}

/// C `strlen`.
///
/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut length = 0;
    // SAFETY: the caller vouches for a terminating zero; volatile keeps the loop from becoming a call of itself.
    while unsafe { text.add(length).read_volatile() } != 0 {
        length += 1;
    }
    length
}

/// The linker asks for it although nothing here unwinds.
#[unsafe(no_mangle)]
pub extern "C" fn rust_eh_personality() {}

/// As above: the precompiled libraries name it in landing pads that are never reached.
#[unsafe(no_mangle)]
pub extern "C" fn _Unwind_Resume() -> ! {
    crate::cpu::stop()
}
