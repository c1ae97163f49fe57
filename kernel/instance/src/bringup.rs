//! How a core is set up, and what the cores beside the lead do.

use arch::{cpu, machine_check, traps as arch_traps};

use crate::context::{self, Context};
use crate::cores::{self, LEAD};
use crate::debug::{self, Point};
use crate::{memory, traps, vectors};

/// Sets up core `number`: tables, traps, local APIC, timer. Leaves interrupts off.
///
/// # Errors
/// The local APIC cannot be mapped or enabled.
///
/// # Safety
/// Called once for each core, on that core, with interrupts off.
pub unsafe fn set_up(context: &Context, number: usize) -> Result<(), &'static str> {
    // SAFETY: the caller runs this once, on that core.
    unsafe { cores::core(number).become_current() };
    if number == LEAD {
        // SAFETY: the lead comes first, and its tables are loaded.
        unsafe { arch_traps::install(traps::handle) };
        // SAFETY: these are the local APIC's registers, of the cores this instance owns.
        unsafe { memory::map_device(context.hand_off.local_apic_address, 4096) }
            .map_err(|_| "the local APIC's registers cannot be mapped")?;
    } else {
        // SAFETY: the lead installed the table before any other core was started.
        unsafe { arch_traps::load() };
    }
    machine_check::begin();
    let apic = &context.local_apic;
    apic.enable(vectors::SPURIOUS)
        .map_err(|_| "the local APIC cannot be enabled")?;
    // INIT has cleared the in-service bits, but a stuck one would block every vector below it.
    let _ = apic.drain();
    let tick = context.timer_count(context.options.keepalive_ns);
    apic.timer_periodic(vectors::TICK, tick);
    Ok(())
}

/// Sets up core `number`, which is not the lead, and lets it count one round of progress at each tick.
pub fn join(number: usize) -> ! {
    let context = context::get();
    // SAFETY: the monitor sends each core here once, with interrupts off.
    if let Err(reason) = unsafe { set_up(context, number) } {
        panic!("core {number} cannot join: {reason}");
    }
    let core = cores::core(number);
    loop {
        core.advance();
        debug::at(context, Point::CoreRound(number));
        cpu::wait_unless(|| false);
    }
}
