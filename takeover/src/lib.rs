//! Failure detector, fence and takeover state machine.
//!
//! Nothing here reads a clock or touches hardware: time comes in as a number, what happened comes in as an [`Event`], what is to be
//! done goes out as [`Actions`]. So the code that decides in the monitor is the code that is simulated, mutated and fuzzed.
//!
//! - [`detector`]: is the peer alive? From its keepalives, by the observer's own clock.
//! - [`fence`]: stop every core of a dead primary for good, with proof.
//! - [`startup_retry`]: starts a core again that did not take up its order.
//! - [`machine`]: who owns the machine, and in which order it changes hands.
//!
//! # How to drive it
//! On every wake-up (keepalive, epitaph, check-in or timer) take the time once and, with that one `now`: read the keepalive slot and pass what it
//! holds as [`Event::Observed`]; pass whatever else happened; pass [`Event::Tick`]; arm the one-shot timer for
//! [`Machine::deadline_ns`](machine::Machine::deadline_ns). Observing before judging is a contract: an observer that was itself away
//! for longer than the time-out finds the newest keepalive on its return, and must not call its peer dead before it looked.
//!
//! No order of events can make it panic, act on a device too early, or act twice; an event that means nothing in a state is ignored.
#![no_std]
#![forbid(unsafe_code)]

pub mod action;
pub mod config;
pub mod cores;
pub mod detector;
pub mod event;
pub mod failure;
pub mod fence;
pub mod machine;
pub mod notice;
pub mod startup_retry;

pub use action::{ACTIONS_MAX, Action, Actions};
pub use config::{Config, ConfigError};
pub use cores::{CoreError, CoreSet, SEAT};
pub use detector::{Beat, Detector, DetectorConfig, Verdict};
pub use event::{Ending, Event, Stage};
pub use failure::Failure;
pub use fence::{Fence, FenceConfig};
pub use machine::{Backup, Machine, State, Successor};
pub use notice::{Notice, Refusal};
pub use sharedmem::cause::{BackupLoss, Cause};
pub use sharedmem::timeline::Edge;
pub use startup_retry::{Call, StartupRetry};
