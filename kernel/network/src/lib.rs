//! TCP connections that outlive the kernel that serves them.
//!
//! A [`Flow`] is a connection as the journal tells it: whose it is, how it began, how many bytes came in, which bytes of the replies the client
//! has not acknowledged. It is the same on the primary, which journals what happens ([`ConnectionEvent`]), and on the backup, which reads that. A *socket* is
//! made from a flow, by a primary, whenever it is needed; nothing in it is missed when it is lost with its kernel:
//!
//! * What came in is journaled before TCP acknowledges it, as frames wait at a gate until the journal has everything that they tell.
//! * What goes out is a function of what came in, and is kept until the journal says that the client has it.
//! * A client that says it has more than the journal knows is believed: the dead kernel had sent it what the successor would send.
//!
//! The TCP is `smoltcp`'s. No clock and no device are here: time comes in as a number, the device as a trait.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod attached;
mod checkpoint;
mod dup_ack;
mod event_sink;
mod fact;
mod flow;
mod frame;
mod listeners;
mod prebuilt;
mod segment;
mod send_buffer;
mod shape;
mod single;
mod stack;
mod tcp_repair;

pub use crate::checkpoint::FlowsRestorer;
pub use event_sink::{ConnectionEvent, EventSink};
pub use fact::{Fact, FactError, Handshake};
pub use flow::{Flow, FlowError, Flows};
pub use shape::{CONNECTION_BYTES, Shape};
pub use stack::{Config, Network, RebuildReport};

/// Number of a connection, never used twice.
pub type ConnectionId = u64;

/// IPv4 address and port of a client, in network order.
pub type Peer = [u8; 6];
