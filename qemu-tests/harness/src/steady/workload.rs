//! What a steady client does, and what became of it.

use std::time::Duration;

use super::checksums::Checksums;
use super::connection::ClientFailure;

/// What a client does all the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// One command, one reply.
    Chat,
    /// A thousand commands, a thousand replies.
    Pipeline,
    /// Values of 1 MiB, there and back.
    Large,
    /// Unpredictable bytes, there and back, with a running checksum of either direction.
    Checksum,
    /// Nothing, until it is told to go on.
    Idle,
    /// Asks for some MiB, and does not read them until it is told to go on: the TCP window is closed.
    SlowReader,
    /// Connects, asks, and hangs up, again and again. None of its connections fails.
    Visitor,
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Chat,
        Self::Pipeline,
        Self::Large,
        Self::Checksum,
        Self::Idle,
        Self::SlowReader,
        Self::Visitor,
    ];
}

/// What became of a client.
#[derive(Debug)]
pub struct ClientReport {
    /// Rounds that it has done.
    pub rounds: u64,
    /// The longest time for which it waited for a reply.
    pub longest_silence: Duration,
    /// Checksums of what it sent and what came back, if it keeps them.
    pub checksums: Option<Checksums>,
    /// What went wrong, if anything did.
    pub trouble: Option<ClientFailure>,
}
