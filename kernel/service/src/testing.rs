//! A test double of this crate's trait, for its own tests and those of others: enabled by the feature `testing`.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::{ConnectionId, DebugCommand, Host, OperatorCommand};

/// A host that records what the service asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordingHost {
    /// Replies in order, those to one connection joined.
    pub replies: Vec<(ConnectionId, Vec<u8>)>,
    /// Connections that were hung up.
    pub hung_up: Vec<ConnectionId>,
    /// Debug commands, each with the number of reply bytes sent before it.
    pub debugged: Vec<(DebugCommand, usize)>,
    /// The operator's requests, in words.
    pub operated: Vec<String>,
    /// Number of signs of work.
    pub progress: u64,
    /// Whether replies are dropped.
    pub is_deaf: bool,
}

impl RecordingHost {
    /// Returns everything sent to one connection.
    pub fn sent_to(&self, connection: ConnectionId) -> Vec<u8> {
        let parts = self.replies.iter().filter(|(to, _)| *to == connection);
        parts.flat_map(|(_, bytes)| bytes.clone()).collect()
    }
}

impl Host for RecordingHost {
    fn reply(&mut self, connection: ConnectionId, bytes: &[u8]) {
        assert!(!bytes.is_empty(), "an empty reply was sent");
        if self.is_deaf {
            return;
        }
        match self.replies.last_mut() {
            Some((last, reply)) if *last == connection => reply.extend_from_slice(bytes),
            _ => self.replies.push((connection, bytes.to_vec())),
        }
    }

    fn hang_up(&mut self, connection: ConnectionId) {
        self.hung_up.push(connection);
    }

    fn debug(&mut self, command: DebugCommand) {
        let sent = self.replies.iter().map(|(_, bytes)| bytes.len()).sum();
        self.debugged.push((command, sent));
    }

    fn operate(&mut self, command: OperatorCommand<'_>) {
        self.operated.push(format!("{command:?}"));
    }

    fn progress(&mut self) {
        self.progress += 1;
    }
}
