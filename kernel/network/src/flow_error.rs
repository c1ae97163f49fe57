//! Why a fact does not follow from those before it.

use core::fmt;

use crate::ConnectionId;

/// Why a fact does not follow from those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowError {
    /// The connection is not open.
    NoFlow(ConnectionId),
    /// The connection, or another one of the same client, has begun already.
    BegunTwice(ConnectionId),
    /// No connection has a number as large as this.
    NoNumber(ConnectionId),
    /// The acknowledgement is beyond what was sent, or behind an earlier one.
    Acknowledged {
        /// The connection.
        connection: ConnectionId,
        /// Number of bytes in the acknowledgement.
        bytes: u64,
    },
}

impl fmt::Display for FlowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFlow(connection) => {
                write!(
                    f,
                    "a record is about connection {connection}, which is not open"
                )
            }
            Self::BegunTwice(connection) => {
                write!(
                    f,
                    "connection {connection}, or another one of its client, begins a second time"
                )
            }
            Self::NoNumber(connection) => {
                write!(
                    f,
                    "connection {connection} begins, but no connection has a number that large"
                )
            }
            Self::Acknowledged { connection, bytes } => write!(
                f,
                "connection {connection} has an impossible acknowledgement of {bytes} bytes of replies"
            ),
        }
    }
}

impl core::error::Error for FlowError {}
