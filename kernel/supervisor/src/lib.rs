//! The supervisor: what the monitor decides while it watches the primary of a machine, readies a backup, and hands the
//! machine over.
//!
//! [`takeover`] says what follows from an event; this crate says what is looked at, in which order, when a backup is
//! prepared, filled, armed, lost and loaded again, when the epoch is raised, and when the machine is reset. It knows no
//! machine: what it needs of one stands behind the traits [`Platform`], [`Cores`] and [`Port`], and what it needs of
//! the instances behind [`Tenant`]. So the code that supervises a machine is the code that a simulation on the host
//! runs.
//!
//! # How to drive it
//! - Make a [`Supervisor`], give it what was loaded by [`Supervisor::arm_first`] and [`Supervisor::start_first`], then
//!   call [`Supervisor::round`] for ever. A round ends in [`Platform::sleep`]; all other waiting is in
//!   [`Cores::spin_until`]. In a simulation these two are where the seat's core is suspended.
//! - On the primary's keepalive interrupt call [`KeepaliveAnswer::answer`], beside the main loop, and count the
//!   interrupt as one that wakes.
//! - A core that was sent [`Signal::Startup`] after [`Signal::Init`] comes to its mailbox: [`ApMailboxes::arrive`],
//!   then [`ApMailboxes::take_order`], once or, if it lingers, for a while; then it enters what the order says, or
//!   stops.
//!
//! # Files
//! [`Supervisor`]'s methods are spread by subject: `supervisor` (the loop), `act` (what the takeover machine asks for),
//! `backup`, `succession`, `rearm`, `reset`, `operator`, `boot`, `compute` (slices for computations). Some of these
//! files keep the state of their subject in a type of their own, of which the supervisor has one; so `supervisor` and
//! they name each other. [`Dispatch`] stops and starts cores, and starts those again that do not come; [`ApMailboxes`]
//! is where they arrive.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod act;
mod ap_mailbox;
mod backup;
mod boot;
mod compute;
mod console;
mod cores;
mod dispatch;
mod image;
mod keepalive_answer;
mod known_words;
mod operator;
mod platform;
mod rearm;
mod refusal;
mod reset;
mod roll_call;
mod succession;
mod supervisor;
mod tenant;

pub use ap_mailbox::{ApMailboxes, Arrived, Order};
pub use compute::{Act, Computation, ComputeTenant, Ending, Idle, Kept, ResultPiece, SliceView};
pub use console::{Console, Port};
pub use cores::{Cores, Signal};
pub use dispatch::Dispatch;
pub use image::{LoadRequest, Source};
pub use keepalive_answer::{KeepaliveAnswer, MAIN_LOOP_LOOK_NS};
pub use platform::Platform;
pub use roll_call::roll_call;
pub use sharedmem::Role;
pub use supervisor::{Policy, Supervisor};
pub use tenant::{Readiness, Tenant, Wait, outcome_of};
