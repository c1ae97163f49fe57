//! Keeping the seat: what the monitor decides while it watches the owner of a machine, readies a backup, and hands the machine over.
//!
//! [`takeover`] says what follows from an event; this crate says what is looked at, in which order, when a backup is prepared, filled, armed, lost
//! and loaded again, when the epoch is raised, and when the machine is reset. It knows no machine: what it needs of one stands behind the
//! traits in [`platform`], and what it needs of the instances behind [`Tenant`]. So the code that keeps the seat of a machine is the code
//! that a simulation on the host runs.
//!
//! # How to drive it
//! - Make a [`Seat`], give it what was loaded by [`Seat::arm_first`] and [`Seat::start_first`], then call [`Seat::round`] for ever. A round ends in
//!   [`Platform::sleep`]; all other waiting is in [`Cores::spin_until`]. In a simulation these two are where the seat's core is suspended.
//! - On the owner's keepalive interrupt call [`Pulse::answer`], beside the main loop, and count the interrupt as one that wakes.
//! - A core that was sent [`Signal::Startup`] after [`Signal::Init`] comes to its desk: [`Desks::arrive`], then [`Desks::take_order`], once or, if it
//!   lingers, for a while; then it enters what the order says, or stops.
//!
//! # Rooms
//! [`Seat`]'s methods are spread by subject: `seat` (the loop), `act` (what the takeover machine asks), `backup`, `ownership`, `rearm`, `reset`,
//! `operator`, `boot`. [`Dispatch`] sends cores about and chases those that do not come; [`Desks`] is where they arrive.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod act;
mod backup;
mod boot;
mod console;
mod desk;
mod dispatch;
mod image;
mod operator;
mod ownership;
pub mod platform;
mod pulse;
mod rearm;
mod reset;
mod seat;
mod tenant;

pub use console::{Console, Owner};
pub use desk::{Arrived, Desks, Order};
pub use dispatch::Dispatch;
pub use image::{Role, Source};
pub use platform::{Cores, Platform, Port, Signal};
pub use pulse::Pulse;
pub use seat::{Policy, Seat};
pub use tenant::{Readiness, Tenant, Wait};
