//! The page in which other cores start, and the one page of scratch memory behind it.
//!
//! It lies below 1 MiB, where any kernel may write. So the monitor keeps it as it must be, writes it anew before each
//! SIPI, and compares it afterwards.
//!
//! An NMI or a machine check may hit a core at any instruction of it. Until a core has a stack of its own, all cores
//! share one, so nothing is read from there: the core begins anew. Any other exception is noted in the scratch page,
//! and the core stops.

mod code;

use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};

use arch::traps::{VECTOR_MACHINE_CHECK, VECTOR_NMI};
use sharedmem::event::{Hex, StartFault, StartPageRestored};

use crate::memory::START_PAGE_ALIAS;
use code::*;

/// SIPI's vector is a page number below 1 MiB (Intel SDM vol. 3A, 9.4.4.1).
pub const PAGE_BYTES: usize = 4096;

/// The page and its scratch page, in bytes.
pub const ALL_BYTES: u64 = 2 * PAGE_BYTES as u64;

/// A stack in the scratch page, in bytes. The upper half is for what the processor pushes, the lower half for what a
/// handler returns by.
const STACK_BYTES: usize = 256;

/// Exceptions of the processor.
const EXCEPTIONS: usize = 32;

/// Bytes of a handler's beginning.
const STUB_BYTES: usize = 16;

/// The page as it must be.
#[repr(C, align(4096))]
struct Image(UnsafeCell<[u64; PAGE_BYTES / 8]>);

// SAFETY: written by `prepare`, before other cores are started.
unsafe impl Sync for Image {}

static IMAGE: Image = Image(UnsafeCell::new([0; PAGE_BYTES / 8]));
static ADDRESS: AtomicU64 = AtomicU64::new(0);
/// Where the page can be written now.
static PLACE: AtomicU64 = AtomicU64::new(0);
static TIMES_RESTORED: AtomicU64 = AtomicU64::new(0);

/// What the page's code needs to know.
pub struct Words {
    /// The monitor's top page table.
    pub page_table: u64,
    /// CR4 of a core that arrives.
    pub cr4: u32,
    /// APIC ids of the cores, and their number.
    pub apic_ids: (u64, usize),
    /// The cores' own stacks.
    pub stacks: u64,
    /// The function in which a core arrives.
    pub arrive: u64,
}

/// Returns where the page's image is. It does not change after [`set_page_table`].
pub fn image() -> core::ops::Range<u64> {
    let start = IMAGE.0.get() as u64;
    start..start + PAGE_BYTES as u64
}

/// Returns the page's physical address.
pub fn address() -> u64 {
    ADDRESS.load(Ordering::Relaxed)
}

/// Returns the address of the gate.
pub fn gate() -> u64 {
    address() + offset(&raw const start_gate)
}

fn offset(symbol: *const u8) -> u64 {
    symbol as u64 - (&raw const start_page) as u64
}

/// Makes the page's image, for the page at physical address `page`, and writes the page.
///
/// # Safety
/// Once. `page` is followed by the scratch page; both are free, below 640 KiB, identity mapped and writable now. What
/// `words` says is so, in the monitor's address space, for ever.
pub unsafe fn prepare(page: u64, words: &Words) {
    let length = offset(&raw const start_page_end) as usize;
    assert!(length <= PAGE_BYTES, "the start page has outgrown its page");
    let image = IMAGE.0.get().cast::<u8>();
    let scratch = page + PAGE_BYTES as u64;
    let end = scratch + PAGE_BYTES as u64;
    let (early, gate) = (end - STACK_BYTES as u64, end);
    let own = |symbol: *const u8| page + offset(symbol);
    // SAFETY: code and words of the page are shorter than the image, which nobody else uses yet.
    unsafe {
        ptr::copy_nonoverlapping(&raw const start_page, image, length);
        let put = |at: u64, bytes: &[u8]| {
            ptr::copy_nonoverlapping(bytes.as_ptr(), image.add(at as usize), bytes.len());
        };
        for (symbol, value) in [
            (&raw const start_gdt_address, own(&raw const start_gdt)),
            (&raw const start_far, own(&raw const start_long_mode)),
        ] {
            put(offset(symbol), &(value as u32).to_le_bytes());
        }
        for (symbol, value) in [
            (&raw const start_early_segment, (early >> 16) << 12),
            (&raw const start_again, offset(&raw const start_real_mode)),
        ] {
            put(offset(symbol), &(value as u16).to_le_bytes());
        }
        for (symbol, value) in [
            (&raw const start_idt_address, own(&raw const start_idt)),
            (&raw const start_early_stack, early),
            (&raw const start_gate_stack, gate),
            (&raw const start_scratch, scratch),
            (&raw const start_cr3, words.page_table),
            (&raw const start_cr4, words.cr4.into()),
            (&raw const start_ids, words.apic_ids.0),
            (&raw const start_count, words.apic_ids.1 as u64),
            (&raw const start_stacks, words.stacks),
            (&raw const start_arrive, words.arrive),
        ] {
            put(offset(symbol), &value.to_le_bytes());
        }
        let table = offset(&raw const start_idt);
        for vector in 0..EXCEPTIONS as u64 {
            let handler = match vector {
                // Their places are those of real mode.
                0 | 4 => continue,
                VECTOR_NMI => own(&raw const start_nmi),
                VECTOR_MACHINE_CHECK => own(&raw const start_machine_check),
                vector => own(&raw const start_stubs) + vector * STUB_BYTES as u64,
            };
            put(table + 16 * vector, &interrupt_gate(handler).to_le_bytes());
        }
        for (vector, symbol) in [
            (VECTOR_NMI, &raw const start_real_nmi),
            (VECTOR_MACHINE_CHECK, &raw const start_real_machine_check),
        ] {
            let far = offset(symbol) | (page >> 4) << 16;
            put(table + 4 * vector, &(far as u32).to_le_bytes());
        }
        ptr::copy_nonoverlapping(image, page as *mut u8, PAGE_BYTES);
        (scratch as *mut u8).write_bytes(0, PAGE_BYTES);
    }
    ADDRESS.store(page, Ordering::Release);
    PLACE.store(page, Ordering::Release);
}

/// Lets cores start in another address space. Only this word of the page changes: a core that was called before may be
/// on its way through it.
///
/// # Safety
/// The page was prepared and is writable now. `page_table` as in [`prepare`]; it is the monitor's own, which is loaded
/// before a core is started again.
pub unsafe fn set_page_table(page_table: u64) {
    let at = offset(&raw const start_cr3);
    let image = IMAGE.0.get() as u64;
    // SAFETY: the word is in the page and in its image, aligned, and written by the seat alone.
    unsafe {
        for page in [image, address()] {
            ((page + at) as *mut u64).write_volatile(page_table);
        }
    }
    PLACE.store(START_PAGE_ALIAS, Ordering::Release);
}

/// Returns the lower half of an interrupt gate to `address`, which is below 4 GiB, in the page's code segment (Intel
/// SDM vol. 3A, figure 6-8). The upper half is 0.
const fn interrupt_gate(address: u64) -> u64 {
    const CODE_SEGMENT: u64 = 0x08;
    const PRESENT_INTERRUPT_GATE: u64 = 0x8e00;
    address & 0xffff
        | CODE_SEGMENT << 16
        | PRESENT_INTERRUPT_GATE << 32
        | (address >> 16 & 0xffff) << 48
}

/// Writes the page as it must be where it is not, and names that. For the seat.
pub fn restore() {
    let words = PAGE_BYTES / 8;
    let page = PLACE.load(Ordering::Acquire) as *mut u64;
    let image = IMAGE.0.get().cast::<u64>();
    let mut found = None;
    for index in 0..words {
        // SAFETY: the image is constant by now, and the page is mapped there for reading and writing; whoever else
        // writes there is met by volatile access. Cores that run in the page see words change to what they must be.
        unsafe {
            let right = image.add(index).read();
            if page.add(index).read_volatile() != right {
                page.add(index).write_volatile(right);
                found = found.or(Some(8 * index as u64));
            }
        }
    }
    if let Some(offset) = found {
        let times = TIMES_RESTORED.fetch_add(1, Ordering::Relaxed) + 1;
        if times.is_power_of_two() {
            log::error!("{}", StartPageRestored { offset, times });
        }
    }
}

/// Names an exception that a core took in the page, or on its way out of it.
pub fn report_faults() {
    let scratch = (address() + PAGE_BYTES as u64) as *mut u64;
    // SAFETY: the scratch page is mapped for reading and writing; whoever else writes there is met by volatile access.
    let [count, vector, address, first, second] =
        unsafe { [0, 1, 2, 3, 4].map(|index| scratch.add(index).read_volatile()) };
    if count == 0 {
        return;
    }
    // SAFETY: as above.
    unsafe { scratch.write_volatile(0) };
    // Those that push an error code push it last (Intel SDM vol. 3A, table 6-1).
    let rip = match vector {
        8 | 10..=14 | 17 | 21 | 29 | 30 => second,
        _ => first,
    };
    let fault = StartFault {
        vector,
        rip: Hex(rip),
        address: Hex(address),
        count,
    };
    log::error!("{fault}");
}
