//! For how long the monitor has done nothing. Its interrupt handler may answer keepalives all the while: what counts is
//! that its main loop comes round, or that the backup, which it calls from there, gets on.
//!
//! This is no protection: whether a backup waits is [`BackupMonitor`](crate::BackupMonitor)'s question. This asks
//! whether the monitor itself is dead, so that nobody would replace this kernel.

use sharedmem::Control;
use sharedmem::keepalive::SeatKeepalive;

/// So much of the time between two looks counts at most, in ns. What stopped this kernel may have stopped the monitor.
const LOOK_NS_MAX: u64 = 100_000_000;

/// A watch over the progress that the monitor's answers tell of.
#[derive(Clone, Copy, Debug)]
pub struct MonitorSilence {
    progress: u64,
    looked_ns: u64,
    silent_ns: u64,
}

impl MonitorSilence {
    /// Begins to watch at `now_ns`.
    pub fn begin(control: &Control, now_ns: u64) -> Self {
        Self {
            progress: progress(control),
            looked_ns: now_ns,
            silent_ns: 0,
        }
    }

    /// Looks at `now_ns`. Returns for how long there was no progress, in ns, as far as this kernel looked.
    pub fn look(&mut self, control: &Control, now_ns: u64) -> u64 {
        let progress = progress(control);
        let unheard_ns = now_ns.saturating_sub(self.looked_ns).min(LOOK_NS_MAX);
        self.silent_ns = match progress == self.progress {
            true => self.silent_ns + unheard_ns,
            false => 0,
        };
        self.progress = progress;
        self.looked_ns = now_ns;
        self.silent_ns
    }
}

fn progress(control: &Control) -> u64 {
    let answer: Option<SeatKeepalive> = control.seat_keepalive.read_of();
    answer.map_or(0, |keepalive| keepalive.progress[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use sharedmem::keepalive::Keepalive;

    const MS: u64 = 1_000_000;

    #[test]
    fn silence_is_counted_while_somebody_looks_and_ends_with_progress() {
        let control = Control::default();
        let mut silence = MonitorSilence::begin(&control, 0);
        let after_ns = |silence: &mut MonitorSilence, from: u64, to: u64| {
            (from..=to).fold(0, |_, ms| silence.look(&control, ms * MS))
        };
        assert_eq!(after_ns(&mut silence, 1, 999), 999 * MS);
        // Five seconds in which this kernel stood still count as one look.
        assert_eq!(after_ns(&mut silence, 5_999, 5_999), 999 * MS + LOOK_NS_MAX);
        let mut answer = Keepalive::first(1, 1);
        answer.progress[0] = 7;
        control.seat_keepalive.publish(&answer);
        assert_eq!(after_ns(&mut silence, 6_000, 6_000), 0);
        // Answers without progress come from the handler alone.
        answer.sequence += 1;
        control.seat_keepalive.publish(&answer);
        assert_eq!(after_ns(&mut silence, 6_001, 6_010), 10 * MS);
    }
}
