//! The kernel around a service that is fed hostile bytes: it keeps what the service wants done.

use service::{ConnectionId, DebugCommand, Host, OperatorCommand};

/// What a service wanted done, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Replies, those to one connection joined.
    pub replies: Vec<(ConnectionId, Vec<u8>)>,
    /// Connections that were hung up.
    pub hung_up: Vec<ConnectionId>,
    /// Faults, and what was asked of the monitor, in words.
    pub others: Vec<String>,
    /// Signs of work.
    pub progress: u64,
}

impl Wishes {
    /// Everything that was sent to one connection.
    pub fn sent_to(&self, connection: ConnectionId) -> Vec<u8> {
        let mine = self.replies.iter().filter(|(to, _)| *to == connection);
        mine.flat_map(|(_, bytes)| bytes.clone()).collect()
    }
}

impl Host for Wishes {
    fn reply(&mut self, connection: ConnectionId, bytes: &[u8]) {
        assert!(!bytes.is_empty(), "an empty reply");
        match self.replies.last_mut() {
            Some((last, reply)) if *last == connection => reply.extend_from_slice(bytes),
            _ => self.replies.push((connection, bytes.to_vec())),
        }
    }

    fn hang_up(&mut self, connection: ConnectionId) {
        self.hung_up.push(connection);
    }

    fn debug(&mut self, command: DebugCommand) {
        self.others.push(format!("{command:?}"));
    }

    fn operate(&mut self, command: OperatorCommand<'_>) {
        self.others.push(format!("{command:?}"));
    }

    fn progress(&mut self) {
        self.progress += 1;
    }
}
