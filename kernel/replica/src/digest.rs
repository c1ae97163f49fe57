//! What primary and backup compare: fingerprints of their states at the same position of the journal.
//!
//! The primary appends a record with its own. A backup that has applied every record before computes the same and
//! compares. Counts and sums are compared each time. Connections and values are gone through in steps, and the record
//! says where a step begins, so a backup may come at any time.
//!
//! Layout of a payload, little-endian:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 1 | revision of what is compared: 1 |
//! | 1 | 1 | 1 if the primary has no doubt about its own state |
//! | 2 | 8 | number of the round |
//! | 10 | 4 | first shard of the keyspace |
//! | 14 | 4 | first entry in it |
//! | 18 | 8 | first string in that |
//! | 26 | 8 | first byte in that |
//! | 34 | 8 | first connection of the service |
//! | 42 | 8 | first connection of the network |
//! | 50 | 4 | work, in bytes whose hashing takes as long |
//! | 54 | 8 | fingerprint of counts and sums |
//! | 62 | 8 | fingerprint of the connections |
//! | 70 | 8 | fingerprint of the part of the keyspace |

use alloc::vec::Vec;

use fingerprint::Chain;
use service::{ConnectionId, Scrub, ScrubPosition};

use crate::checkpoint::CheckpointedState;

/// Revision of what is compared. A record of another one is not compared.
const REVISION: u8 = 1;
/// Connections of a step.
const CONNECTIONS: usize = 16;

/// Where a step begins, and how long it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DigestStep {
    /// Number of the round. It chooses pieces of long strings.
    pub round: u64,
    /// Where in the keyspace.
    pub keyspace: ScrubPosition,
    /// The first connection of the service.
    pub client: ConnectionId,
    /// The first connection of the network.
    pub flow: ConnectionId,
    /// Work in the keyspace, in bytes whose hashing takes as long.
    pub work_bytes: u32,
}

/// The fingerprints of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fingerprints {
    /// Of counts and sums.
    pub counts: u64,
    /// Of the connections.
    pub connections: u64,
    /// Of the part of the keyspace.
    pub keyspace: u64,
}

impl Fingerprints {
    /// Returns what differs in `other`.
    pub fn difference(&self, other: &Self) -> Option<&'static str> {
        if self.counts != other.counts {
            Some("counts and sums")
        } else if self.connections != other.connections {
            Some("connections")
        } else if self.keyspace != other.keyspace {
            Some("keys and values")
        } else {
            None
        }
    }
}

/// A record: what a primary says of its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digest {
    /// Whether the primary has no doubt about its own state.
    pub is_sound: bool,
    /// What it went through.
    pub step: DigestStep,
    /// What came of it.
    pub fingerprints: Fingerprints,
}

impl Digest {
    /// Appends the record's payload to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let DigestStep {
            round,
            keyspace,
            client,
            flow,
            work_bytes,
        } = self.step;
        let prints = self.fingerprints;
        out.extend_from_slice(&[REVISION, u8::from(self.is_sound)]);
        out.extend_from_slice(&round.to_le_bytes());
        for number in [keyspace.shard, keyspace.index] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for number in [keyspace.string, keyspace.byte, client, flow] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&work_bytes.to_le_bytes());
        for number in [prints.counts, prints.connections, prints.keyspace] {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }

    /// Reads the digest in a payload; `None` if that is of another revision, or none at all.
    pub fn decode(payload: &[u8]) -> Option<Self> {
        let mut rest = Fields(payload.strip_prefix(&[REVISION])?);
        let digest = Self {
            is_sound: rest.array::<1>()? == [1],
            step: DigestStep {
                round: rest.number()?,
                keyspace: ScrubPosition {
                    shard: rest.half()?,
                    index: rest.half()?,
                    string: rest.number()?,
                    byte: rest.number()?,
                },
                client: rest.number()?,
                flow: rest.number()?,
                work_bytes: rest.half()?,
            },
            fingerprints: Fingerprints {
                counts: rest.number()?,
                connections: rest.number()?,
                keyspace: rest.number()?,
            },
        };
        rest.0.is_empty().then_some(digest)
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

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn half(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }
}

/// What a step came to.
pub(crate) struct Examined {
    /// The fingerprints.
    pub fingerprints: Fingerprints,
    /// Where the next step begins.
    pub next: DigestStep,
    /// The key, as it is in memory, of the first value that is not what was stored.
    pub damaged_key: Option<Vec<u8>>,
}

/// Goes through a state, step by step.
#[derive(Default)]
pub(crate) struct Examiner {
    scrub: Scrub,
}

impl Examiner {
    /// Goes through the part of the state that `step` names.
    pub fn examine(&mut self, state: &CheckpointedState, step: &DigestStep) -> Examined {
        let CheckpointedState {
            service,
            flows,
            last_time_ms,
        } = state;
        let round = step.round;
        let (mut counts, mut connections) = (Chain::default(), Chain::default());
        counts.number(*last_time_ms);
        service.state().add_counts(&mut counts);
        flows.add_counts(&mut counts, round);
        let client =
            service
                .state()
                .add_connections(&mut connections, step.client, CONNECTIONS, round);
        let flow = flows.add_connections(&mut connections, step.flow, CONNECTIONS, round);
        let scrubbed =
            service
                .state()
                .scrub(&mut self.scrub, step.keyspace, step.work_bytes as usize);
        Examined {
            fingerprints: Fingerprints {
                counts: counts.finish(),
                connections: connections.finish(),
                keyspace: scrubbed.fingerprint,
            },
            next: DigestStep {
                round: round.wrapping_add(1),
                keyspace: scrubbed.next,
                client,
                flow,
                work_bytes: step.work_bytes,
            },
            damaged_key: scrubbed.damaged_key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use network::Flows;
    use proptest::prelude::*;
    use service::testing::RecordingHost;
    use service::{Input, InputRecord, Service, ServiceLimits, Stamp};

    fn digest(numbers: [u64; 9], halves: [u32; 3], is_sound: bool) -> Digest {
        let [
            round,
            string,
            byte,
            client,
            flow,
            counts,
            connections,
            keyspace,
            _,
        ] = numbers;
        let [shard, index, work_bytes] = halves;
        Digest {
            is_sound,
            step: DigestStep {
                round,
                keyspace: ScrubPosition {
                    shard,
                    index,
                    string,
                    byte,
                },
                client,
                flow,
                work_bytes,
            },
            fingerprints: Fingerprints {
                counts,
                connections,
                keyspace,
            },
        }
    }

    fn state() -> CheckpointedState {
        let (mut service, mut host) = (
            Service::new(ServiceLimits::default()),
            RecordingHost::default(),
        );
        let (connection, peer, stamp) = (1, [0; 6], Stamp::default());
        for input in [
            Input::Open { connection, peer },
            Input::Bytes {
                connection,
                bytes: b"SET a 1\r\nRPUSH b 1 2 3\r\nHSET c f v\r\nSADD d m\r\n",
            },
        ] {
            service.apply(&InputRecord { stamp, input }, &mut host);
        }
        CheckpointedState {
            service,
            flows: Flows::new(1 << 20),
            last_time_ms: 7,
        }
    }

    proptest! {
        #[test]
        fn a_digest_comes_back_no_part_of_one_does_and_any_step_is_harmless(
            numbers in any::<[u64; 9]>(),
            halves in any::<[u32; 3]>(),
            is_sound in any::<bool>(),
            shard in 0..4096_u32,
        ) {
            let digest = digest(numbers, halves, is_sound);
            let mut payload = vec![];
            digest.encode(&mut payload);
            prop_assert_eq!(payload.len(), 78);
            prop_assert_eq!(Digest::decode(&payload), Some(digest));
            for length in 0..payload.len() {
                prop_assert_eq!(Digest::decode(&payload[..length]), None);
            }
            payload.push(0);
            prop_assert_eq!(Digest::decode(&payload), None);
            let (state, mut step) = (state(), digest.step);
            for position in [step.keyspace.shard, shard] {
                step.keyspace.shard = position;
                let mut other = Examiner::default();
                let examined = Examiner::default().examine(&state, &step);
                prop_assert_eq!(examined.fingerprints, other.examine(&state, &step).fingerprints);
                prop_assert_eq!(examined.damaged_key, None);
            }
        }
    }

    #[test]
    fn another_revision_is_not_compared() {
        let mut payload = vec![];
        digest([1; 9], [1; 3], true).encode(&mut payload);
        payload[0] = REVISION + 1;
        assert_eq!(Digest::decode(&payload), None);
    }

    #[test]
    fn what_differs_is_named() {
        let (one, mut other) = (state(), state());
        let step = DigestStep {
            work_bytes: 1 << 20,
            ..DigestStep::default()
        };
        let before = Examiner::default().examine(&one, &step);
        let difference = |state: &CheckpointedState| {
            let examined = Examiner::default().examine(state, &step);
            before.fingerprints.difference(&examined.fingerprints)
        };
        assert_eq!(difference(&other), None);
        other.last_time_ms += 1;
        assert_eq!(difference(&other), Some("counts and sums"));
        other.last_time_ms -= 1;
    }
}
