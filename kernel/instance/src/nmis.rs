//! NMIs of a primary's cores.
//!
//! The fence sends one to a core that did not check in, as INIT may be held there: it condemns the primary before
//! (see `sharedmem::condemned`), and the core dies. Any other NMI, of an operator's button or of hardware, says nothing
//! about this kernel: the core goes on, as under Linux, and the NMI is counted and told.

use core::sync::atomic::{AtomicU64, Ordering};

use arch::traps::TrapFrame;
use arch::virtualization;
use sharedmem::event::StrayNmi;

use crate::{context, death, epoch};

/// NMIs that no fence sent, and that are not told yet.
static STRAY: AtomicU64 = AtomicU64::new(0);

/// Handles an NMI: this kernel dies of it if it is condemned, else its core goes on.
pub fn handle(frame: &TrapFrame) {
    let condemned = context::try_get()
        .map(|context| &context.region.control.condemned[context.instance()])
        .filter(|condemned| condemned.is_condemned(epoch::own()));
    match condemned {
        Some(condemned) => {
            condemned.tell(virtualization::leave());
            death::by_nmi(frame);
        }
        None => {
            STRAY.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Logs what was counted.
pub fn report() {
    match STRAY.swap(0, Ordering::Relaxed) {
        0 => {}
        count => log::warn!("{}", StrayNmi { count }),
    }
}
