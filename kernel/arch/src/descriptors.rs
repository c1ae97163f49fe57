//! GDT, TSS and interrupt stacks of a core.
//!
//! Rust's precompiled `core` uses the red zone, so no trap may run on the interrupted stack: every vector has an
//! interrupt stack (Intel SDM vol. 3A, 6.14.5), and traps that can interrupt each other have different ones.

use core::mem::offset_of;
use core::ops::Range;

use x86_64::VirtAddr;
use x86_64::instructions::tables::load_tss;
use x86_64::registers::segmentation::{CS, DS, ES, SS, Segment};
use x86_64::structures::gdt::{Descriptor, GlobalDescriptorTable};
use x86_64::structures::tss::TaskStateSegment;

/// An interrupt stack. Traps on one stack never interrupt each other. The numbers are indices into the TSS's table.
#[repr(u16)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrapStack {
    /// Interrupts from devices, timers and other cores.
    Interrupt = 0,
    /// Exceptions.
    Exception = 1,
    /// Double fault.
    DoubleFault = 2,
    /// Non-maskable interrupt.
    Nmi = 3,
    /// Machine check, which may come in the middle of all others.
    MachineCheck = 4,
}

const STACKS: usize = 5;
const STACK_BYTES: usize = 16 << 10;

#[repr(C, align(16))]
struct Stack([u8; STACK_BYTES]);

/// A core's tables and interrupt stacks.
#[repr(C)]
pub struct CoreTables {
    stacks: [Stack; STACKS],
    tss: TaskStateSegment,
    gdt: GlobalDescriptorTable<8>,
}

impl CoreTables {
    /// Makes empty tables, to be placed in a static.
    pub const fn new() -> Self {
        Self {
            stacks: [const { Stack([0; STACK_BYTES]) }; STACKS],
            tss: TaskStateSegment::new(),
            gdt: GlobalDescriptorTable::empty(),
        }
    }

    /// Fills the tables and makes them this core's. They may be all zeros before.
    ///
    /// # Safety
    /// `tables` belongs to this core alone and is never freed.
    pub unsafe fn load(tables: *mut Self) {
        // SAFETY: the caller promises that nobody else refers to the tables.
        let tables = unsafe { &mut *tables };
        // The TSS is packed, so a reference to its table is not allowed; the table is written as a whole.
        let mut tops = [VirtAddr::zero(); 7];
        for (top, stack) in tops.iter_mut().zip(&tables.stacks) {
            *top = VirtAddr::from_ptr(stack) + STACK_BYTES as u64;
        }
        tables.tss = TaskStateSegment::new();
        tables.tss.interrupt_stack_table = tops;
        tables.gdt = GlobalDescriptorTable::empty();
        let code = tables.gdt.append(Descriptor::kernel_code_segment());
        let data = tables.gdt.append(Descriptor::kernel_data_segment());
        // SAFETY: the TSS lies in the same static as the GDT.
        let tss = tables
            .gdt
            .append(unsafe { Descriptor::tss_segment_unchecked(&tables.tss) });
        // SAFETY: the GDT is complete and never freed; the selectors are its own; long mode ignores base and limit of
        // data segments.
        unsafe {
            tables.gdt.load_unsafe();
            CS::set_reg(code);
            SS::set_reg(data);
            DS::set_reg(data);
            ES::set_reg(data);
            load_tss(tss);
        }
    }
}

impl CoreTables {
    /// Returns where the TSS and the GDT of `tables` are. They do not change after [`load`](Self::load).
    pub fn constant_part(tables: *const Self) -> Range<u64> {
        let start = tables as u64;
        start + offset_of!(Self, tss) as u64..start + size_of::<Self>() as u64
    }

    /// Points the exception stack at an address where nothing is mapped, so that the next exception becomes a double
    /// fault. For fault injection.
    ///
    /// # Safety
    /// `tables` are this core's, and the kernel is meant to die.
    pub unsafe fn ruin_exception_stack(tables: *mut Self) {
        // SAFETY: the caller owns the tables; the packed table is copied, changed and written back.
        unsafe {
            let mut tops = (*tables).tss.interrupt_stack_table;
            tops[TrapStack::Exception as usize] = VirtAddr::new(0x10);
            (*tables).tss.interrupt_stack_table = tops;
        }
    }
}

impl Default for CoreTables {
    fn default() -> Self {
        Self::new()
    }
}
