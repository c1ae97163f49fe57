//! What the machine is told once.

use core::fmt;

use crate::cores::CoreSet;
use crate::detector::DetectorConfig;
use crate::fence::FenceConfig;

/// Configuration of a [`Machine`](crate::Machine).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// When the owner counts as dead.
    pub detector: DetectorConfig,
    /// How its cores are stopped.
    pub fence: FenceConfig,
    /// How long a dead owner waits for a backup that is still getting ready, in ns.
    pub backup_wait_ns: u64,
    /// Epoch of the first primary.
    pub first_epoch: u64,
    /// Cores for the new owner beside those that are fenced: kept for the backup, or never started. The lowest-numbered
    /// of all leads.
    pub spare: CoreSet,
}

/// Rounds a fence may be configured to; the wait doubles with each.
pub const TRIES_LIMIT: u32 = 16;

/// What cannot work in a [`Config`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// `keepalive_ns` is 0.
    NoKeepalive,
    /// `timeout_ns`, given second, is below twice `keepalive_ns`, given first: a healthy peer would be killed by its own period.
    TimeoutTooShort(u64, u64),
    /// `boot_timeout_ns`, given second, is below `timeout_ns`, given first.
    BootTimeoutTooShort(u64, u64),
    /// `tries_max` is 0 or above [`TRIES_LIMIT`].
    Tries(u32),
    /// `spare` is empty.
    NoSpare,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKeepalive => f.write_str("keepalive period is 0; it must be above"),
            Self::TimeoutTooShort(keepalive, timeout) => {
                let least = keepalive.saturating_mul(2);
                write!(
                    f,
                    "time-out of {timeout} ns is below two keepalive periods of {keepalive} ns; use {least} ns or more"
                )
            }
            Self::BootTimeoutTooShort(timeout, boot) => {
                write!(
                    f,
                    "boot time-out of {boot} ns is below the time-out; use {timeout} ns or more"
                )
            }
            Self::Tries(tries) => write!(f, "{tries} rounds of fencing; use 1 to {TRIES_LIMIT}"),
            Self::NoSpare => f.write_str("no core for a new owner; name at least one"),
        }
    }
}

impl core::error::Error for ConfigError {}

impl DetectorConfig {
    /// Checks that a healthy peer can satisfy it.
    ///
    /// # Errors
    /// Names the first value that cannot work.
    pub fn check(&self) -> Result<(), ConfigError> {
        let Self {
            keepalive_ns,
            timeout_ns,
            boot_timeout_ns,
        } = *self;
        if keepalive_ns == 0 {
            Err(ConfigError::NoKeepalive)
        } else if timeout_ns < keepalive_ns.saturating_mul(2) {
            Err(ConfigError::TimeoutTooShort(keepalive_ns, timeout_ns))
        } else if boot_timeout_ns < timeout_ns {
            Err(ConfigError::BootTimeoutTooShort(
                timeout_ns,
                boot_timeout_ns,
            ))
        } else {
            Ok(())
        }
    }
}

impl Config {
    /// Checks that the machine can work with it.
    ///
    /// # Errors
    /// Names the first value that cannot work.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.detector.check()?;
        if !(1..=TRIES_LIMIT).contains(&self.fence.tries_max) {
            Err(ConfigError::Tries(self.fence.tries_max))
        } else if self.spare.is_empty() {
            Err(ConfigError::NoSpare)
        } else {
            Ok(())
        }
    }
}
