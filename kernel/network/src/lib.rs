//! TCP connections that outlive the kernel that serves them.
//!
//! A [`Flow`] is a connection as the journal describes it: its client, how it began, how many bytes came in, and
//! which bytes of the replies the client has not acknowledged. The primary journals what happens on connections
//! ([`ConnectionEvent`]) and the backup reads it, so both have the same flows. A primary makes a *socket* from a flow
//! whenever it needs one. The state of a socket that dies with its kernel is not missed, because:
//!
//! * Input is journaled before TCP acknowledges it: frames wait at a gate until the journal has everything they
//!   depend on.
//! * Output is a function of the input, and is kept until the journal says that the client has it.
//! * If a client acknowledges more than the journal knows, but no more than a dead kernel can have sent, it is right:
//!   the successor would send the same bytes.
//! * A client that only asks for a connection leaves nothing behind: what was agreed is in the number that it has to
//!   acknowledge (module `syn_cookie`).
//!
//! Frames are checked once, before anything acts on them (module `input`).
//!
//! TCP itself is `smoltcp`'s. The crate has no clock and no device: time comes in as a number, the device is a trait.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod answer;
mod attached;
mod checkpoint;
mod comparison;
mod connections;
mod ended;
mod event_sink;
mod fact;
mod flow;
mod flow_error;
mod flows;
mod frame;
mod input;
mod judge;
mod path_mtu;
mod prebuilt;
mod segment;
mod send_buffer;
mod single;
mod socket_options;
mod stack;
mod syn_cookie;
mod tcp_repair;
#[cfg(feature = "testing")]
pub mod testing;

pub use crate::checkpoint::{FlowsRestorer, FlowsWriter};
pub use connections::RebuildReport;
pub use event_sink::{ConnectionEvent, EventSink};
pub use fact::{Fact, FactError, Handshake};
pub use flow::Flow;
pub use flow_error::FlowError;
pub use flows::Flows;
pub use socket_options::{CONNECTION_BYTES, SocketOptions};
pub use stack::{Network, NetworkConfig};

/// Number of a connection; no two connections of a journal have the same one.
pub type ConnectionId = u64;

/// IPv4 address and port of a client, in network order.
pub type Peer = [u8; 6];
