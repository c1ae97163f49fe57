//! Where the network hands over what happens on connections.

use crate::fact::Fact;
use crate::flows::Flows;
use crate::{ConnectionId, Peer};

/// Something that happened on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionEvent<'a> {
    /// A fact about a connection, for [`Flows::apply`].
    Fact(Fact),
    /// A client has connected: for the service, and for [`Flows::opened`].
    Opened(ConnectionId, Peer),
    /// Bytes came in, in order: for the service, and for [`Flows::received`].
    Bytes(ConnectionId, &'a [u8]),
    /// A client will send no more: for the service, and for [`Flows::closed`].
    Closed(ConnectionId),
}

/// Takes events: journals each one, then applies it to the flows.
pub trait EventSink {
    /// Returns the flows, with all events so far applied.
    fn flows(&self) -> &Flows;

    /// Commits an event. When it returns, the event survives the death of this kernel, and is applied to the flows.
    fn commit_event(&mut self, event: ConnectionEvent<'_>);

    /// Counts work. Long loops call it for every frame and every connection, so that they do not look like a hang.
    fn progress(&mut self);

    /// Returns the time in ns. It is used only to measure how long something took.
    fn now_ns(&self) -> u64;
}
