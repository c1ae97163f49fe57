//! What happens on the network, and where it is written down.

use crate::fact::Fact;
use crate::flow::Flows;
use crate::{ConnectionId, Peer};

/// What happened on the network.
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

/// Where events are entered: in the journal first, then in the flows.
pub trait EventSink {
    /// The flows, with all that was entered.
    fn flows(&self) -> &Flows;

    /// Enters an event. When it returns, the event survives the death of this kernel, and is in the flows.
    fn commit_event(&mut self, event: ConnectionEvent<'_>);

    /// Called for every frame, and for every connection, in what may be long loops: a sign of work.
    fn progress(&mut self);

    /// The time, in ns: only to tell how long something took.
    fn now_ns(&self) -> u64;
}
