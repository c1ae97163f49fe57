//! The faults: how a core, the primary or the waiting backup is made to fail.

use alloc::vec::Vec;
use core::hint::black_box;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};

use arch::cpu;
use arch::virtualization::{self, VmxError, VmxonRegion};
use ipi::Ipi;
use replica::open_journal;
use sharedmem::debug::PromotionFault;
use sharedmem::event::WildWriteSucceeded;
use sharedmem::{MAX_CORES, RecordKind};

use spin::Once;

use crate::context::Context;
use crate::cores::{self, LEAD};
use crate::{epoch, memory};

/// Whether a core is to hang at the end of its round.
static HANG_ORDERS: [AtomicBool; MAX_CORES] = [const { AtomicBool::new(false) }; MAX_CORES];

/// A region for each core, if cores are to enter VMX root operation before they hang.
static VMXON_REGIONS: Once<Vec<VmxonRegion>> = Once::new();

/// Hangs `core` with interrupts off: at once if it is the lead, which runs this; else at the end of its round.
pub fn hang_core(context: &Context, core: usize) {
    if core == LEAD {
        cpu::hang();
    } else if core < context.hand_off.core_count as usize {
        HANG_ORDERS[core].store(true, Ordering::Release);
    }
}

/// Sends this core an NMI.
pub fn send_nmi(context: &Context) {
    let own = context.local_apic.id();
    if let Err(error) = context.local_apic.send(own, Ipi::Nmi) {
        log::error!("DEBUG NMI: {error}");
    }
}

/// Hangs all cores with interrupts off.
pub fn hang_all_cores(context: &Context) -> ! {
    (1..context.hand_off.core_count as usize).for_each(|core| hang_core(context, core));
    cpu::hang();
}

/// Hangs all cores with interrupts off, in VMX root operation. Returns if the lead cannot enter it.
pub fn hang_all_cores_in_vmx(context: &Context) {
    let count = context.hand_off.core_count as usize;
    let regions = VMXON_REGIONS.call_once(|| (0..count).map(|_| VmxonRegion::new()).collect());
    match enter_vmx(&regions[LEAD]) {
        Ok(()) => hang_all_cores(context),
        Err(error) => log::error!("DEBUG HANG vmx: {error}"),
    }
}

fn enter_vmx(region: &'static VmxonRegion) -> Result<(), VmxError> {
    let physical = memory::physical_of(ptr::from_ref(region).cast());
    // SAFETY: each core has its own region, and the kernel is meant to die.
    unsafe { virtualization::enter_vmx(region, physical) }
}

/// Hangs core `number`, which runs this, if it was ordered to.
pub fn hang_if_ordered(number: usize) {
    if HANG_ORDERS[number % MAX_CORES].load(Ordering::Acquire) {
        let region = VMXON_REGIONS.get().and_then(|them| them.get(number));
        if let Some(Err(error)) = region.map(enter_vmx) {
            log::error!("core {number} hangs outside of VMX operation: {error}");
        }
        cpu::hang();
    }
}

/// Spins with interrupts on: the core lives, and its main loop stands still.
pub fn spin() -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// Orders the instance that is promoted next to panic, as an upgrade to a kernel that does not work would.
pub fn order_promotion_panic(context: &Context) {
    let debug = &context.region.control.debug;
    debug.order_promotion_fault(PromotionFault::Panic);
}

/// Orders the instance that is promoted next to hang.
pub fn order_promotion_hang(context: &Context) {
    let debug = &context.region.control.debug;
    debug.order_promotion_fault(PromotionFault::Hang);
}

/// Fails if the promoted instance was ordered to.
pub fn fail_promotion(context: &Context) {
    match context.region.control.debug.take_promotion_fault() {
        Some(PromotionFault::Panic) => panic!("DEBUG PROMOTION-PANIC"),
        Some(PromotionFault::Hang) => cpu::hang(),
        None => {}
    }
}

/// Fails if the waiting backup was ordered to.
pub fn fail_backup(context: &Context) {
    let debug = &context.region.control.debug;
    if debug.panic_backup.swap(0, Ordering::Relaxed) != 0 {
        panic!("DEBUG BACKUP-PANIC");
    }
    if debug.hang_backup.swap(0, Ordering::Relaxed) != 0 {
        spin();
    }
}

/// Raises a fault whose handler cannot be entered, because its stack is gone.
pub fn double_fault() -> ! {
    cores::ruin_exception_stack();
    // SAFETY: this is meant to fault: nothing is mapped in the first page.
    unsafe { core::ptr::read_volatile(core::ptr::without_provenance::<u8>(8)) };
    unreachable!("a read of the first page does not return")
}

/// Recurses until the stack overflows.
pub fn overflow_stack() {
    black_box(recurse(black_box(1)));
}

#[expect(unconditional_recursion, reason = "the stack is meant to overflow")]
fn recurse(depth: u64) -> u64 {
    let ballast = black_box([depth; 64]);
    recurse(depth + 1) + ballast[depth as usize % 64]
}

/// Writes into the other instance's slice, as a wild pointer would.
pub fn wild_write(context: &Context) {
    let target = memory::virt_of(context.hand_off.peer.start + 4096) as *mut u64;
    // SAFETY: none; the test is that the page tables stop it.
    unsafe { core::ptr::write_volatile(target, 0xdead_beef) };
    log::error!("{}", WildWriteSucceeded {});
}

/// Appends a record that is damaged before it is acknowledged.
pub fn corrupt_tail(context: &'static Context) {
    let journal = open_journal(&context);
    match journal.append(epoch::own(), RecordKind::Input.into(), &[&[0xa5; 48]]) {
        Ok(record) => journal.corrupt_for_test(record),
        Err(error) => log::error!("the damaged record cannot be appended: {error}"),
    }
}
