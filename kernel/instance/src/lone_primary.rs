//! What a primary does that serves while the monitor is dead: nobody would replace it.
//!
//! It says so, and serves on. With `failover_monitor=reset` it hands the machine to the next boot: it takes no more
//! input, sends all output, and resets the machine. The next boot goes on with the state in memory.

use core::sync::atomic::Ordering;

use ipi::Ipi;
use partition::cmdline::LoneMonitor;
use replica::MonitorSilence;
use sharedmem::control::NOTHING_RETAINED;
use sharedmem::event::MonitorSilent;

use crate::context::Context;
use crate::death;

/// For how long the monitor does nothing until it counts as dead, in ns. Much longer than anything that it does in one
/// piece.
const MONITOR_DEAD_NS: u64 = 5_000_000_000;

/// After this time NMIs are sent to the monitor, in ns, and how often: what keeps it may be a backup that has switched
/// interrupts off.
const NMI_AFTER_NS: u64 = 2_000_000_000;
const NMI_EVERY_NS: u64 = 100_000_000;

/// How long output may take to leave before the reset, in ns.
const DRAIN_NS: u64 = 1_000_000_000;

/// A primary's watch over the monitor's life.
pub struct LonePrimary {
    silence: MonitorSilence,
    /// Since when the monitor counts as dead, in ns since boot.
    since_ns: Option<u64>,
    /// Whether the machine must not be reset once more.
    is_refused: bool,
    /// When the next NMI is due, in ns since boot.
    nmi_ns: u64,
}

impl LonePrimary {
    /// Begins to watch.
    pub fn begin(context: &Context) -> Self {
        Self {
            silence: MonitorSilence::begin(context.region.control, context.now_ns()),
            since_ns: None,
            is_refused: false,
            nmi_ns: 0,
        }
    }

    /// Looks. Returns whether this primary is about to reset the machine, and so takes nothing more in.
    pub fn look(&mut self, context: &Context, now_ns: u64) -> bool {
        let silent_ns = self.silence.look(context.region.control, now_ns);
        if silent_ns >= NMI_AFTER_NS && now_ns >= self.nmi_ns {
            self.nmi_ns = now_ns + NMI_EVERY_NS;
            let _ = context
                .local_apic
                .send(context.hand_off.seat_apic_id, Ipi::Nmi);
        }
        if silent_ns < MONITOR_DEAD_NS {
            self.since_ns = None;
            return false;
        }
        if self.since_ns.is_none() {
            self.since_ns = Some(now_ns);
            let silent_ms = silent_ns / 1_000_000;
            log::error!("{}", MonitorSilent { silent_ms });
        }
        self.is_leaving(context)
    }

    fn is_leaving(&self, context: &Context) -> bool {
        let retained = context
            .region
            .control
            .journal
            .retained
            .load(Ordering::Acquire);
        let is_wanted = context.options.failover_monitor == LoneMonitor::Reset;
        is_wanted && !self.is_refused && retained != NOTHING_RETAINED
    }

    /// Resets the machine once `has_drained`, or when draining takes too long. If it may not, this primary serves on.
    pub fn leave(&mut self, context: &Context, has_drained: bool, now_ns: u64) {
        let is_late = |since_ns| now_ns >= since_ns + DRAIN_NS;
        if has_drained || self.since_ns.is_some_and(is_late) {
            death::reset_machine(context);
            self.is_refused = true;
        }
    }
}
