//! The configuration of the machine.

use core::fmt;

use crate::cores::CoreSet;
use crate::detector::DetectorConfig;
use crate::fence::FenceConfig;

/// Configuration of a [`Machine`](crate::Machine).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// When the primary counts as dead.
    pub detector: DetectorConfig,
    /// How the primary's cores are stopped.
    pub fence: FenceConfig,
    /// How long a dead primary waits for a backup that is still loading, in ns.
    pub backup_wait_ns: u64,
    /// Epoch of the first primary.
    pub first_epoch: u64,
    /// Cores for a promoted backup beside those that are fenced: reserved for it, or never started. It starts on the
    /// lowest-numbered of all its cores, unless [`Machine::set_lead`](crate::Machine::set_lead) names another.
    pub spare: CoreSet,
}

/// Maximum of [`FenceConfig::tries_max`]; the wait doubles with each round.
pub const TRIES_LIMIT: u32 = 16;

/// Why a [`Config`] cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// `keepalive_ns` is 0.
    NoKeepalive,
    /// `timeout_ns`, given second, is below twice `keepalive_ns`, given first: a healthy peer would count as dead
    /// because of its own period.
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
            Self::NoKeepalive => f.write_str("keepalive period is 0; it must be more"),
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
            Self::NoSpare => f.write_str("no core for a new primary; name at least one"),
        }
    }
}

impl core::error::Error for ConfigError {}

impl DetectorConfig {
    /// Checks that a healthy peer can meet these periods and time-outs.
    ///
    /// # Errors
    /// Returns the first value that cannot work.
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
    /// Checks the configuration.
    ///
    /// # Errors
    /// Returns the first value that cannot work.
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
