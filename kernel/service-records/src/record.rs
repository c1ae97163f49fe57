//! The payload of a journal record: one input of the state machine, with a time and a random word.
//!
//! Layout, little-endian:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 8 | time, milliseconds since 1970 |
//! | 8 | 8 | random word |
//! | 16 | 8 | connection (0 for a tick) |
//! | 24 | 1 | kind: 1 open, 2 bytes, 3 close, 4 tick |
//! | 25 | rest | open: IPv4 address and port of the client, in network order; bytes: the bytes; else nothing |

use alloc::vec::Vec;
use core::fmt;

/// Number of a connection. The host chooses it, and never uses it twice.
pub type ConnectionId = u64;

/// Bytes before the part of a record that depends on its kind.
pub const HEADER_BYTES: usize = 25;

const PEER_BYTES: usize = 6;
const OPEN: u8 = 1;
const BYTES: u8 = 2;
const CLOSE: u8 = 3;
const TICK: u8 = 4;

/// Time and randomness of a record: the state machine has no other clock and no other random source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Stamp {
    /// Milliseconds since 1970 (or since boot, if the machine has no calendar). A step backwards counts as no step.
    pub time_ms: u64,
    /// A random word; `SPOP` chooses by it.
    pub entropy: u64,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// A client connected.
    Open {
        /// The new connection.
        connection: ConnectionId,
        /// The client's IPv4 address and port, in network order.
        peer: [u8; PEER_BYTES],
    },
    /// A client sent bytes.
    Bytes {
        /// The connection they came in on.
        connection: ConnectionId,
        /// The bytes, in any fragmentation.
        bytes: &'a [u8],
    },
    /// A connection is gone.
    Close {
        /// The connection.
        connection: ConnectionId,
    },
    /// Time has passed: see `Service::next_expiry_ms`.
    Tick,
}

/// One entry of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputRecord<'a> {
    /// Time and randomness.
    pub stamp: Stamp,
    /// What happened.
    pub input: Input<'a>,
}

/// Why bytes are not an input record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputRecordError {
    /// Shorter than the header.
    Truncated {
        /// Its length in bytes.
        length: usize,
    },
    /// No such kind.
    UnknownKind {
        /// The kind it names.
        kind: u8,
    },
    /// The part after the header has a length its kind cannot have.
    WrongLength {
        /// The kind.
        kind: u8,
        /// What that kind has, in bytes.
        expected: usize,
        /// What is there, in bytes.
        found: usize,
    },
    /// A tick that names a connection.
    TickWithConnection {
        /// The connection it names.
        connection: ConnectionId,
    },
}

impl fmt::Display for InputRecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { length } => write!(
                f,
                "record of {length} bytes is shorter than its header of {HEADER_BYTES}"
            ),
            Self::UnknownKind { kind } => {
                write!(
                    f,
                    "record kind {kind} is unknown; kinds are {OPEN} to {TICK}"
                )
            }
            Self::WrongLength {
                kind,
                expected,
                found,
            } => write!(
                f,
                "record of kind {kind} carries {found} bytes, it must carry {expected}"
            ),
            Self::TickWithConnection { connection } => {
                write!(
                    f,
                    "tick record names connection {connection}, it must name 0"
                )
            }
        }
    }
}

impl core::error::Error for InputRecordError {}

impl<'a> InputRecord<'a> {
    /// Returns the length [`encode`](Self::encode) will add, in bytes.
    pub fn encoded_len(&self) -> usize {
        HEADER_BYTES
            + match self.input {
                Input::Open { .. } => PEER_BYTES,
                Input::Bytes { bytes, .. } => bytes.len(),
                Input::Close { .. } | Input::Tick => 0,
            }
    }

    /// Appends the record to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let (kind, connection, rest): (u8, ConnectionId, &[u8]) = match &self.input {
            Input::Open { connection, peer } => (OPEN, *connection, peer),
            Input::Bytes { connection, bytes } => (BYTES, *connection, bytes),
            Input::Close { connection } => (CLOSE, *connection, &[]),
            Input::Tick => (TICK, 0, &[]),
        };
        out.reserve(self.encoded_len());
        out.extend_from_slice(&self.stamp.time_ms.to_le_bytes());
        out.extend_from_slice(&self.stamp.entropy.to_le_bytes());
        out.extend_from_slice(&connection.to_le_bytes());
        out.push(kind);
        out.extend_from_slice(rest);
    }

    /// Reads a record that fills `bytes` exactly. Nothing is copied.
    ///
    /// # Errors
    /// [`encode`](Self::encode) cannot have written the bytes: see [`InputRecordError`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, InputRecordError> {
        let truncated = InputRecordError::Truncated {
            length: bytes.len(),
        };
        let (time_ms, rest) = split_u64(bytes).ok_or(truncated)?;
        let (entropy, rest) = split_u64(rest).ok_or(truncated)?;
        let (connection, rest) = split_u64(rest).ok_or(truncated)?;
        let (&kind, rest) = rest.split_first().ok_or(truncated)?;
        let wrong_length = |expected| InputRecordError::WrongLength {
            kind,
            expected,
            found: rest.len(),
        };
        let input = match kind {
            OPEN => Input::Open {
                connection,
                peer: rest.try_into().map_err(|_| wrong_length(PEER_BYTES))?,
            },
            BYTES => Input::Bytes {
                connection,
                bytes: rest,
            },
            CLOSE | TICK if !rest.is_empty() => return Err(wrong_length(0)),
            CLOSE => Input::Close { connection },
            TICK if connection != 0 => {
                return Err(InputRecordError::TickWithConnection { connection });
            }
            TICK => Input::Tick,
            _ => return Err(InputRecordError::UnknownKind { kind }),
        };
        Ok(Self {
            stamp: Stamp { time_ms, entropy },
            input,
        })
    }
}

fn split_u64(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (word, rest) = bytes.split_first_chunk()?;
    Some((u64::from_le_bytes(*word), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::ToString, vec};

    fn encoded(record: &InputRecord<'_>) -> Vec<u8> {
        let mut out = vec![];
        record.encode(&mut out);
        assert_eq!(out.len(), record.encoded_len());
        out
    }

    #[test]
    fn layout_is_the_documented_one() {
        let record = InputRecord {
            stamp: Stamp {
                time_ms: 0x0102_0304_0506_0708,
                entropy: 9,
            },
            input: Input::Open {
                connection: 10,
                peer: [127, 0, 0, 1, 0x1f, 0x90],
            },
        };
        let bytes = encoded(&record);
        assert_eq!(bytes[..8], [8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!((bytes[8], bytes[16], bytes[24]), (9, 10, 1));
        assert_eq!(bytes[25..], [127, 0, 0, 1, 0x1f, 0x90]);
    }

    #[test]
    fn every_kind_comes_back() {
        let stamp = Stamp {
            time_ms: u64::MAX,
            entropy: 1,
        };
        let inputs = [
            Input::Open {
                connection: u64::MAX,
                peer: [1, 2, 3, 4, 5, 6],
            },
            Input::Bytes {
                connection: 2,
                bytes: b"PING\r\n",
            },
            Input::Bytes {
                connection: 2,
                bytes: b"",
            },
            Input::Close { connection: 3 },
            Input::Tick,
        ];
        for input in inputs {
            let record = InputRecord { stamp, input };
            assert_eq!(InputRecord::decode(&encoded(&record)), Ok(record));
        }
    }

    #[test]
    fn what_encode_cannot_write_is_refused_by_name() {
        let header = |kind: u8, connection: u64| {
            let mut bytes = vec![0; 16];
            bytes.extend_from_slice(&connection.to_le_bytes());
            bytes.push(kind);
            bytes
        };
        for length in 0..HEADER_BYTES {
            assert_eq!(
                InputRecord::decode(&vec![1; length]),
                Err(InputRecordError::Truncated { length })
            );
        }
        for kind in [0, 5, 255] {
            assert_eq!(
                InputRecord::decode(&header(kind, 0)),
                Err(InputRecordError::UnknownKind { kind })
            );
        }
        let mut long_close = header(3, 1);
        long_close.push(0);
        let error = InputRecord::decode(&long_close).unwrap_err();
        assert_eq!(
            error.to_string(),
            "record of kind 3 carries 1 bytes, it must carry 0"
        );
        assert_eq!(
            InputRecord::decode(&header(1, 1)),
            Err(InputRecordError::WrongLength {
                kind: 1,
                expected: 6,
                found: 0
            })
        );
        assert_eq!(
            InputRecord::decode(&header(4, 7)),
            Err(InputRecordError::TickWithConnection { connection: 7 })
        );
    }
}
