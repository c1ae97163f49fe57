//! Resets the machine when nobody serves, and no kernel can be loaded that would go on with the state in the journal.

use core::sync::atomic::Ordering::Acquire;

use sharedmem::console::ConsoleOwner;
use sharedmem::control::NOTHING_RETAINED;
use sharedmem::epitaph::EpitaphCause;
use sharedmem::event;
use sharedmem::reset_row::TooManyResets;
use takeover::State;

use crate::platform::Platform;
use crate::supervisor::{PREPARE_POLL_NS, Supervisor};

/// How long nobody serves before the machine is reset, in ns. A primary that was only slow may come back until then.
const GRACE_NS: u64 = 1_000_000_000;

/// So much of the time between two looks counts at most, in ns: they are about a millisecond apart.
const LOOK_NS_MAX: u64 = 100_000_000;

/// How long a primary has for its last lines, and for powering the machine off, in ns. A first primary does that by
/// itself, with the firmware's own methods; one that was a backup cannot.
const STOP_NS: u64 = 2_000_000_000;

/// Kernels that are loaded in vain before the machine is reset.
const LOADS_MAX: u32 = 2;

/// When the machine is reset.
pub(crate) struct Resetting {
    is_allowed: bool,
    /// For how long nobody has served, and when that was looked at last, in ns.
    dead: Option<(u64, u64)>,
    /// Kernels that were loaded since then.
    loads: u32,
}

impl Resetting {
    /// Makes one that resets the machine, or never does.
    pub(crate) fn new(is_allowed: bool) -> Self {
        Self {
            is_allowed,
            dead: None,
            loads: 0,
        }
    }

    /// Counts a kernel that is loaded to go on for a dead one.
    pub(crate) fn loading(&mut self) {
        self.loads += 1;
    }

    /// Returns whether the machine may be reset.
    pub(crate) fn is_allowed(&self) -> bool {
        self.is_allowed
    }

    /// Returns whether nobody has served for long enough, and nobody is about to.
    fn is_due(&mut self, is_hopeless: bool, now_ns: u64) -> bool {
        if !is_hopeless || !self.is_allowed {
            self.dead = None;
            return false;
        }
        let (dead_ns, looked_ns) = self.dead.unwrap_or((0, now_ns));
        // What was not looked at, as in a paused machine, does not count.
        let seen_ns = now_ns.saturating_sub(looked_ns).min(LOOK_NS_MAX);
        self.dead = Some((dead_ns + seen_ns, now_ns));
        dead_ns + seen_ns >= GRACE_NS
    }
}

/// When the monitor does the rest of an ordered end.
#[derive(Default)]
pub(crate) struct Stopping {
    /// Since when the primary has been told to stop, in ns.
    since_ns: Option<u64>,
    is_done: bool,
}

impl Stopping {
    /// Returns, once, whether the primary has had its time.
    fn is_due(&mut self, now_ns: u64) -> bool {
        let since_ns = *self.since_ns.get_or_insert(now_ns);
        let is_due = !self.is_done && now_ns.saturating_sub(since_ns) >= STOP_NS;
        self.is_done |= is_due;
        is_due
    }
}

impl<P: Platform> Supervisor<P> {
    /// Returns whether a kernel that is loaded now could go on for the one that is dead. There is none if already the
    /// first image was refused: then nobody made a state, and no cores are known.
    pub(crate) fn can_read_state(&self) -> bool {
        let journal = &self.control.journal;
        let is_in_journal = self.policy.kinds.all(|it| it.reads_journal);
        is_in_journal
            && self.primary.is_some()
            && self.resetting.loads < LOADS_MAX
            && journal.retained.load(Acquire) != NOTHING_RETAINED
    }

    /// Resets the machine, if nobody serves and nobody is about to.
    pub(crate) fn reset_if_hopeless(&mut self) {
        let is_hopeless = match self.machine.state() {
            State::Watching | State::Unprotected => {
                self.resetting.loads = 0;
                false
            }
            State::Dead => self.backup.is_none() && !self.can_read_state(),
            State::Refused(_) => true,
            _ => false,
        };
        let now_ns = self.now_ns();
        if !is_hopeless && self.resetting.is_allowed() {
            self.platform.pet_watchdog(now_ns);
        }
        if self.resetting.is_due(is_hopeless, now_ns) {
            self.reset(now_ns);
        }
    }

    /// Does the rest of an ordered end: takes the console when the primary has printed its last line, and powers the
    /// machine off if the primary was told to and has not done it.
    pub(crate) fn stop_if_told(&mut self) {
        let now_ns = self.now_ns();
        if self.machine.state() != State::Stopped || !self.stopping.is_due(now_ns) {
            return;
        }
        self.console.give_to(self.control, ConsoleOwner::Monitor);
        let epitaph = self.control.epitaphs[self.primary_instance].read();
        let is_power_off = epitaph.is_some_and(|it| it.cause == Some(EpitaphCause::PowerOff));
        if is_power_off {
            log::info!("{}", event::PowerOff {});
        }
        self.console.flush(self.control);
        if is_power_off {
            self.platform.power_off();
        }
    }

    /// Returns how long to sleep at most, in ns: no keepalive wakes the seat when nobody serves.
    pub(crate) fn hopeless_poll_ns(&self) -> u64 {
        match self.machine.state() {
            State::Dead | State::Refused(_) | State::Stopped => PREPARE_POLL_NS,
            _ => u64::MAX,
        }
    }

    fn reset(&mut self, now_ns: u64) {
        let control = self.control;
        self.console.give_to(control, ConsoleOwner::Monitor);
        match control.header.count_reset(now_ns) {
            Err(TooManyResets(resets)) => {
                self.resetting.is_allowed = false;
                self.platform.stop_watchdog();
                log::error!("{}", event::StandsStill { resets });
                self.console.flush(control);
            }
            Ok(number) => {
                log::error!("{}", event::Reset { number });
                self.console.flush(control);
                self.platform.reset()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_that_was_only_slow_may_come_back() {
        let mut resetting = Resetting::new(true);
        assert!(!is_due_at(&mut resetting, 5, GRACE_NS - 1));
        assert!(!resetting.is_due(false, 5 + GRACE_NS));
        assert!(
            !is_due_at(&mut resetting, 6 + GRACE_NS, 10),
            "it counts anew"
        );
        assert!(is_due_at(&mut resetting, 16 + GRACE_NS, GRACE_NS));
    }

    #[test]
    fn a_pause_of_the_whole_machine_is_no_time_in_which_nobody_serves() {
        let mut resetting = Resetting::new(true);
        assert!(!is_due_at(&mut resetting, 0, GRACE_NS / 2));
        assert!(!resetting.is_due(true, 50 * GRACE_NS));
    }

    /// Looks every millisecond; returns whether the reset is due after `duration_ns`.
    fn is_due_at(resetting: &mut Resetting, from_ns: u64, duration_ns: u64) -> bool {
        let looks = (0..duration_ns).step_by(1_000_000).chain([duration_ns]);
        looks.fold(false, |_, after_ns| {
            resetting.is_due(true, from_ns + after_ns)
        })
    }

    #[test]
    fn a_machine_that_may_not_be_reset_is_not() {
        let mut resetting = Resetting::new(false);
        assert!(!resetting.is_due(true, 0));
        assert!(!resetting.is_due(true, 2 * GRACE_NS));
    }
}
