//! Failure detector, fence and takeover state machine.
//!
//! The crate reads no clock and touches no hardware: time comes in as a number, what happened comes in as an [`Event`],
//! what is to be done goes out as [`Actions`]. So the very code that decides in the monitor is simulated, mutated and
//! fuzzed on the host.
//!
//! - [`detector`]: decides from a peer's keepalives, on the observer's own clock, whether the peer is alive.
//! - [`fence`]: stops every core of a dead primary for good, with proof.
//! - [`startup_retry`]: starts a stopped core again that did not take up its order.
//! - [`machine`]: decides which instance is the primary, and in which order the machine passes to another.
//!
//! # How to drive it
//! On every wake-up (keepalive, epitaph, check-in or timer), take the time once, and use that one `now` throughout.
//! Read the keepalive slot and pass what it holds as [`Event::Observed`]; pass whatever else happened; pass
//! [`Event::Tick`]; then arm the one-shot timer for [`Machine::deadline_ns`](machine::Machine::deadline_ns). Observing
//! before judging is a contract: an observer that was itself away for longer than the time-out must read the newest
//! keepalive before it may call its peer dead.
//!
//! No order of events can make the crate panic, act on a device too early, or act twice. An event without a meaning in
//! the present state is ignored.
//!
//! # Example
//! A primary on cores 1 and 2 falls silent. The machine fences both, and has the backup promoted on core 1:
//!
//! ```
//! use sharedmem::keepalive::Keepalive;
//! use takeover::{Action, Config, CoreSet, DetectorConfig, Event, FenceConfig, Machine, Stage};
//!
//! const MS: u64 = 1_000_000;
//! let cores = CoreSet::from_cores([1, 2])?;
//! let config = Config {
//!     detector: DetectorConfig { keepalive_ns: MS, timeout_ns: 10 * MS, boot_timeout_ns: 200 * MS },
//!     fence: FenceConfig::default(),
//!     backup_wait_ns: 100 * MS,
//!     first_epoch: 1,
//!     spare: cores,
//! };
//! let mut machine = Machine::new(config, 0)?;
//! machine.step(0, Event::PrimaryStarted { cores });
//! machine.step(0, Event::BackupReady);
//! let mut beat = Keepalive { sequence: 1, ..Keepalive::first(1, 2) };
//! beat.progress[..2].fill(1);
//! machine.step(MS, Event::Observed(&beat));
//! assert!(machine.is_protected());
//!
//! // No keepalive for longer than the time-out, for an observer that looked meanwhile: INIT, and SIPI after a pause.
//! machine.step(6 * MS, Event::Tick);
//! let now_ns = 12 * MS;
//! let actions = machine.step(now_ns, Event::Tick);
//! assert!(actions.contains(&Action::SendInit { cores }));
//! let now_ns = now_ns + config.fence.settle_ns;
//! let actions = machine.step(now_ns, Event::Tick);
//! let generation = machine.generation();
//! assert!(actions.contains(&Action::SendStartup { cores, generation }));
//!
//! // Only when both cores have checked in is the epoch raised.
//! machine.step(now_ns, Event::CheckedIn { core: 1, generation });
//! let actions = machine.step(now_ns, Event::CheckedIn { core: 2, generation });
//! assert!(actions.contains(&Action::RaiseEpoch { to: 2 }));
//! machine.step(now_ns, Event::Completed(Stage::RaiseEpoch));
//! machine.step(now_ns, Event::Completed(Stage::SeizeInterrupts));
//! let actions = machine.step(now_ns, Event::Completed(Stage::QuietDevices));
//! assert!(actions.contains(&Action::Promote { core: 1 }));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
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
pub use detector::{Detector, DetectorConfig, Verdict};
pub use event::{Ending, Event, Stage};
pub use failure::Failure;
pub use fence::{Fence, FenceConfig, NMI_FROM_ROUND, Strike};
pub use machine::{Backup, Machine, State, Successor};
pub use notice::{Notice, Refusal};
pub use sharedmem::cause::{BackupLoss, Cause};
pub use sharedmem::timeline::Edge;
pub use startup_retry::{Call, StartupRetry};
