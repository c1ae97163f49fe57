//! What was observed of a machine that was struck.

use std::fmt;
use std::time::Duration;

use sharedmem::cause::Cause;

/// What was observed of one machine, from the fault to the check after the forced death.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Takeovers that nobody forced.
    pub takeovers: usize,
    /// Resets that the machine survived.
    pub resets: usize,
    /// Backups that were lost, other than by becoming the primary.
    pub losses: usize,
    /// Reports of damage that led to nothing else.
    pub alarms: usize,
    /// Whether the machine was protected at the end.
    pub is_protected: bool,
    /// Whether somebody waited for a reply until the machine was given up.
    pub is_hung: bool,
    /// Acknowledged writes, replies and whole states that were lost, and writes that nobody sent.
    pub lost: u64,
    /// Whole states among what was lost.
    pub lost_states: usize,
    /// Whether the value that only the fault touches is not what was written.
    pub is_probe_wrong: bool,
    /// Whether nobody was answered any more only after the forced death.
    pub is_dead_at_last: bool,
    /// Why the first primary counted as dead, if nobody forced that.
    pub cause: Option<Cause>,
    /// CPUs that executed a dead primary after another one had taken over.
    pub cpus_left_behind: usize,
    /// When the first death was detected that nobody forced, since the strike.
    pub detected_after: Option<Duration>,
    /// The longest time for which a client waited for a reply.
    pub longest_silence: Duration,
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} takeovers, {} resets, {} backups lost, {} alarms, {} lost, protected: {}, hung: {}, probe wrong: {}",
            self.takeovers,
            self.resets,
            self.losses,
            self.alarms,
            self.lost,
            self.is_protected,
            self.is_hung,
            self.is_probe_wrong
        )
    }
}
