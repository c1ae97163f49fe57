//! What the journal records about a connection, beside the bytes that came in on it.
//!
//! Layout of a payload, little-endian:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 1 | kind: 1 begun, 2 acknowledged, 3 peer closed, 4 gone, 5 path MTU, 6 secret |
//! | 1 | 8 | connection; secret: the key |
//! | 9 | 6 | begun: address and port of the client, in network order |
//! | 15 | 6 | begun: hardware address that its frames come from |
//! | 21 | 4 | begun: the client's initial sequence number |
//! | 25 | 4 | begun: our initial sequence number |
//! | 29 | 2 | begun: its maximum segment size, 0 if it named none |
//! | 31 | 1 | begun: its window scale, 255 if it named none |
//! | 32 | 1 | begun: 1 if it permits selective acknowledgements |
//! | 9 | 8 | acknowledged: bytes of the replies |
//! | 17 | 1 | acknowledged: 1 if the end behind them is, too |
//! | 9 | 2 | path MTU: the longest packet, in bytes |

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::path_mtu::MTU_MIN;
use crate::{ConnectionId, Peer};

const BEGUN: u8 = 1;
const ACKNOWLEDGED: u8 = 2;
const PEER_CLOSED: u8 = 3;
const GONE: u8 = 4;
const PATH_MTU: u8 = 5;
const SECRET: u8 = 6;

const NO_SCALE: u8 = 255;

/// The furthest a window is shifted (RFC 7323, 2.3).
pub(crate) const WINDOW_SCALE_MAX: u8 = 14;

/// How a connection began (RFC 9293, 3.5): the client's SYN and the answer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handshake {
    /// Hardware address that the client's frames come from: the client's, or that of a router.
    pub peer_mac: [u8; 6],
    /// The client's initial sequence number.
    pub peer_seq: u32,
    /// Our initial sequence number.
    pub local_seq: u32,
    /// The longest segment the client takes, in bytes.
    pub mss: Option<u16>,
    /// The shift of the client's window (RFC 7323), at most 14.
    pub window_scale: Option<u8>,
    /// Whether the client permits selective acknowledgements (RFC 2018).
    pub sack_permitted: bool,
}

/// Something that happened to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A client has answered our answer to its SYN.
    Begun {
        /// The new connection.
        connection: ConnectionId,
        /// The client.
        peer: Peer,
        /// What the two sides agreed on.
        handshake: Handshake,
    },
    /// The client has acknowledged replies.
    Acknowledged {
        /// The connection.
        connection: ConnectionId,
        /// Number of bytes acknowledged, since the beginning.
        bytes: u64,
        /// Whether the end behind the last reply is acknowledged, too.
        end: bool,
    },
    /// The client will send no more.
    PeerClosed {
        /// The connection.
        connection: ConnectionId,
    },
    /// The connection is gone, on both sides.
    Gone {
        /// The connection.
        connection: ConnectionId,
    },
    /// A router said that the path to the client takes no longer packets.
    PathMtu {
        /// The connection.
        connection: ConnectionId,
        /// Length of the longest packet, in bytes.
        mtu: u16,
    },
    /// The key of the SYN cookies, before the first of them leaves.
    Secret {
        /// The key.
        secret: u64,
    },
}

/// Why bytes are not a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactError {
    /// No such kind.
    UnknownKind {
        /// The kind they name.
        kind: u8,
    },
    /// Their length does not suit their kind.
    WrongLength {
        /// Their length in bytes.
        length: usize,
    },
    /// The window scale is larger than TCP allows (RFC 7323, 2.3).
    WindowScale {
        /// The shift they name.
        scale: u8,
    },
    /// The path's MTU is lower than any that is believed.
    PathMtu {
        /// The MTU they name, in bytes.
        mtu: u16,
    },
}

impl fmt::Display for FactError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKind { kind } => write!(
                f,
                "connection record of kind {kind} is unknown; kinds are {BEGUN} to {SECRET}"
            ),
            Self::WrongLength { length } => {
                write!(
                    f,
                    "connection record of {length} bytes has a length that does not suit its kind"
                )
            }
            Self::WindowScale { scale } => {
                write!(
                    f,
                    "connection record has window scale {scale}; {WINDOW_SCALE_MAX} is the largest"
                )
            }
            Self::PathMtu { mtu } => {
                write!(
                    f,
                    "connection record has a path MTU of {mtu}; {MTU_MIN} is the lowest"
                )
            }
        }
    }
}

impl core::error::Error for FactError {}

impl Fact {
    /// Returns the field behind the kind: the connection it is about, or the key.
    fn subject(&self) -> u64 {
        match *self {
            Self::Begun { connection, .. }
            | Self::Acknowledged { connection, .. }
            | Self::PeerClosed { connection }
            | Self::Gone { connection }
            | Self::PathMtu { connection, .. } => connection,
            Self::Secret { secret } => secret,
        }
    }

    /// Appends the record's payload to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let kind = match self {
            Self::Begun { .. } => BEGUN,
            Self::Acknowledged { .. } => ACKNOWLEDGED,
            Self::PeerClosed { .. } => PEER_CLOSED,
            Self::Gone { .. } => GONE,
            Self::PathMtu { .. } => PATH_MTU,
            Self::Secret { .. } => SECRET,
        };
        out.push(kind);
        out.extend_from_slice(&self.subject().to_le_bytes());
        match self {
            Self::Begun {
                peer, handshake, ..
            } => {
                out.extend_from_slice(peer);
                out.extend_from_slice(&handshake.peer_mac);
                out.extend_from_slice(&handshake.peer_seq.to_le_bytes());
                out.extend_from_slice(&handshake.local_seq.to_le_bytes());
                out.extend_from_slice(&handshake.mss.unwrap_or(0).to_le_bytes());
                out.push(handshake.window_scale.unwrap_or(NO_SCALE));
                out.push(u8::from(handshake.sack_permitted));
            }
            Self::Acknowledged { bytes, end, .. } => {
                out.extend_from_slice(&bytes.to_le_bytes());
                out.push(u8::from(*end));
            }
            Self::PathMtu { mtu, .. } => out.extend_from_slice(&mtu.to_le_bytes()),
            Self::PeerClosed { .. } | Self::Gone { .. } | Self::Secret { .. } => {}
        }
    }

    /// Reads the fact in a payload.
    ///
    /// # Errors
    /// The bytes are not a fact: see [`FactError`].
    pub fn decode(payload: &[u8]) -> Result<Self, FactError> {
        let wrong_length = FactError::WrongLength {
            length: payload.len(),
        };
        let mut rest = Fields(payload);
        let kind = rest.byte().ok_or(wrong_length)?;
        let subject = rest.array().map(u64::from_le_bytes).ok_or(wrong_length)?;
        let connection = subject;
        let fact = match kind {
            BEGUN => rest.begun(connection).ok_or(wrong_length)?,
            ACKNOWLEDGED => rest.acknowledged(connection).ok_or(wrong_length)?,
            PEER_CLOSED => Self::PeerClosed { connection },
            GONE => Self::Gone { connection },
            PATH_MTU => Self::PathMtu {
                connection,
                mtu: rest.array().map(u16::from_le_bytes).ok_or(wrong_length)?,
            },
            SECRET => Self::Secret { secret: subject },
            kind => return Err(FactError::UnknownKind { kind }),
        };
        if !rest.0.is_empty() {
            return Err(wrong_length);
        }
        match fact {
            Self::Begun {
                handshake:
                    Handshake {
                        window_scale: Some(scale),
                        ..
                    },
                ..
            } if scale > WINDOW_SCALE_MAX => Err(FactError::WindowScale { scale }),
            Self::PathMtu { mtu, .. } if mtu < MTU_MIN => Err(FactError::PathMtu { mtu }),
            fact => Ok(fact),
        }
    }
}

/// The part of a payload that is not read yet.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn begun(&mut self, connection: ConnectionId) -> Option<Fact> {
        Some(Fact::Begun {
            connection,
            peer: self.array()?,
            handshake: Handshake {
                peer_mac: self.array()?,
                peer_seq: self.array().map(u32::from_le_bytes)?,
                local_seq: self.array().map(u32::from_le_bytes)?,
                mss: Some(self.array().map(u16::from_le_bytes)?).filter(|mss| *mss != 0),
                window_scale: Some(self.byte()?).filter(|scale| *scale != NO_SCALE),
                sack_permitted: self.byte()? != 0,
            },
        })
    }

    fn acknowledged(&mut self, connection: ConnectionId) -> Option<Fact> {
        Some(Fact::Acknowledged {
            connection,
            bytes: self.array().map(u64::from_le_bytes)?,
            end: self.byte()? != 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    const BEGINNING: Fact = Fact::Begun {
        connection: 0x0102_0304_0506_0708,
        peer: [10, 0, 2, 2, 0x30, 0x39],
        handshake: Handshake {
            peer_mac: [0x52, 0x55, 10, 0, 2, 2],
            peer_seq: 0x1111_2222,
            local_seq: 0xffff_fffe,
            mss: Some(1460),
            window_scale: Some(14),
            sack_permitted: true,
        },
    };

    fn encoded(fact: Fact) -> Vec<u8> {
        let mut out = Vec::new();
        fact.encode(&mut out);
        out
    }

    #[test]
    fn layout_is_the_documented_one() {
        let bytes = encoded(BEGINNING);
        assert_eq!(bytes.len(), 33);
        assert_eq!((bytes[0], bytes[1], bytes[9], bytes[15]), (1, 8, 10, 0x52));
        assert_eq!(bytes[21..25], [0x22, 0x22, 0x11, 0x11]);
        assert_eq!(bytes[25..], [0xfe, 0xff, 0xff, 0xff, 0xb4, 0x05, 14, 1]);
    }

    #[test]
    fn every_kind_comes_back_and_no_part_of_one_does() {
        let Fact::Begun {
            connection,
            peer,
            handshake,
        } = BEGINNING
        else {
            unreachable!()
        };
        let plain = Fact::Begun {
            connection,
            peer,
            handshake: Handshake {
                mss: None,
                window_scale: None,
                sack_permitted: false,
                ..handshake
            },
        };
        let acknowledged = Fact::Acknowledged {
            connection,
            bytes: u64::MAX,
            end: true,
        };
        for fact in [
            BEGINNING,
            plain,
            acknowledged,
            Fact::PeerClosed { connection },
            Fact::Gone { connection },
            Fact::PathMtu {
                connection,
                mtu: MTU_MIN,
            },
            Fact::Secret { secret: u64::MAX },
        ] {
            let mut bytes = encoded(fact);
            assert_eq!(Fact::decode(&bytes), Ok(fact));
            for length in 0..bytes.len() {
                assert_eq!(
                    Fact::decode(&bytes[..length]),
                    Err(FactError::WrongLength { length })
                );
            }
            bytes.push(0);
            assert!(Fact::decode(&bytes).is_err());
        }
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let error = Fact::decode(&[9; 9]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "connection record of kind 9 is unknown; kinds are 1 to 6"
        );
        let mut bytes = encoded(BEGINNING);
        bytes[31] = 15;
        assert_eq!(
            Fact::decode(&bytes),
            Err(FactError::WindowScale { scale: 15 })
        );
        let too_low = Fact::PathMtu {
            connection: 1,
            mtu: MTU_MIN - 1,
        };
        assert_eq!(
            Fact::decode(&encoded(too_low)).unwrap_err().to_string(),
            "connection record has a path MTU of 575; 576 is the lowest"
        );
    }
}
