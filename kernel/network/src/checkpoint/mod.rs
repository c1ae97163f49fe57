//! The connections in a checkpoint: written by the primary in pieces, while they go on, and restored by whoever reads
//! the journal.
//!
//! A connection is written again when it has changed: its image, and the replies behind those that were written. What
//! its client has acknowledged meanwhile is dropped by the reader, too.

mod restore;
mod writer;

pub use restore::FlowsRestorer;
pub use writer::FlowsWriter;

use serde::{Deserialize, Serialize};

use crate::fact::Handshake;
use crate::{ConnectionId, Peer};

/// The heads in this part of a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
enum Head {
    /// A connection as it is now. A string follows: unacknowledged replies from position `from` of its stream on,
    /// behind those that were written before.
    Flow { image: FlowImage, from: u64 },
    /// A connection that was written has ended.
    Gone(ConnectionId),
    /// The end. A string with the connections that ended last follows.
    End {
        last_connection: ConnectionId,
        secret: Option<u64>,
        flows: u64,
        unacked_bytes: u64,
    },
}

/// A flow without its unacknowledged replies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FlowImage {
    connection: ConnectionId,
    peer: Peer,
    handshake: Handshake,
    is_open: bool,
    is_closed: bool,
    received_bytes: u64,
    peer_has_closed: bool,
    acknowledged_bytes: u64,
    is_end_acknowledged: bool,
    is_hung_up: bool,
    is_aborted: bool,
    path_mtu: Option<u16>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::{Fact, WINDOW_SCALE_MAX};
    use crate::flow::Flow;
    use crate::flows::{COUNT_MAX, Flows};
    use crate::path_mtu::MTU_MIN;
    use crate::send_buffer::SendBuffer;
    use alloc::vec;
    use alloc::vec::Vec;
    use checkpoint::{Items, Malformed, Sequence, Writer};
    use proptest::prelude::*;

    /// A step of the connections: what happens, to which, and how much.
    type Step = (u8, u64, usize);

    fn steps(count: usize) -> impl Strategy<Value = Vec<Step>> {
        prop::collection::vec((0..8_u8, 1..9_u64, 0..40_000_usize), 0..count)
    }

    fn written(flows: &Flows) -> Vec<Vec<u8>> {
        let (mut records, mut sequence) = (Vec::new(), Sequence::default());
        let mut sink = |payload: &[u8]| records.push(payload.to_vec());
        FlowsWriter::write_all(flows, &mut Writer::new(1, &mut sequence, &mut sink));
        records
    }

    fn restored(records: &[Vec<u8>]) -> Result<Flows, Malformed> {
        let (mut restorer, mut sequence) = (FlowsRestorer::new(1 << 20), Sequence::default());
        for record in records {
            restorer.restore(Items::of(record, &mut sequence)?.1)?;
        }
        restorer.finish()
    }

    #[test]
    fn counts_that_cannot_be_are_refused() {
        let scaled = |received_bytes, acknowledged_bytes, window_scale| FlowImage {
            connection: 1,
            peer: [10, 0, 2, 2, 0, 1],
            handshake: Handshake {
                peer_mac: [2; 6],
                peer_seq: 1,
                local_seq: 1,
                mss: None,
                window_scale: Some(window_scale),
                sack_permitted: false,
            },
            is_open: true,
            is_closed: false,
            received_bytes,
            peer_has_closed: false,
            acknowledged_bytes,
            is_end_acknowledged: false,
            is_hung_up: false,
            is_aborted: false,
            path_mtu: None,
        };
        let image = |received_bytes, acknowledged_bytes| {
            scaled(received_bytes, acknowledged_bytes, WINDOW_SCALE_MAX)
        };
        let is_restored = |image: FlowImage, last_connection| {
            let (mut records, mut sequence) = (Vec::new(), Sequence::default());
            let mut sink = |payload: &[u8]| records.push(payload.to_vec());
            let mut writer = Writer::new(1, &mut sequence, &mut sink);
            let from = image.acknowledged_bytes;
            writer.head(&Head::Flow { image, from });
            writer.string(b"+OK\r\n");
            writer.head(&Head::End {
                last_connection,
                secret: None,
                flows: 1,
                unacked_bytes: 5,
            });
            writer.string(&[]);
            drop(writer);
            restored(&records).is_ok()
        };
        assert!(is_restored(image(COUNT_MAX, COUNT_MAX), COUNT_MAX));
        assert!(!is_restored(image(u64::MAX, 0), 1));
        assert!(!is_restored(image(0, u64::MAX), 1));
        assert!(!is_restored(image(0, 0), u64::MAX));
        assert!(!is_restored(scaled(0, 0, WINDOW_SCALE_MAX + 1), 1));
        let of_path = |mtu| FlowImage {
            path_mtu: Some(mtu),
            ..image(0, 0)
        };
        assert!(is_restored(of_path(MTU_MIN), 1));
        assert!(!is_restored(of_path(MTU_MIN - 1), 1));
    }

    /// Takes a step. Facts that do not follow from those before are refused, and change nothing.
    fn take(flows: &mut Flows, (step, connection, bytes): Step) {
        // No number comes twice.
        let connection = match step {
            0 => flows.next_connection(),
            _ => connection,
        };
        // Facts that do not follow from those before are refused, and change nothing.
        match step {
            0 => {
                let handshake = Handshake {
                    peer_mac: [2; 6],
                    peer_seq: bytes as u32,
                    local_seq: !(bytes as u32),
                    mss: (bytes % 2 == 0).then_some(1460),
                    window_scale: (bytes % 3 == 0).then_some(7),
                    sack_permitted: bytes % 5 == 0,
                };
                let peer = [10, 0, 2, 2, 0, connection as u8];
                let _ = flows.apply(&Fact::Begun {
                    connection,
                    peer,
                    handshake,
                });
                flows.opened(connection);
            }
            1 => flows.received(connection, bytes),
            2 => flows.reply(connection, &vec![connection as u8; bytes]),
            3 => {
                let half = |flow: &Flow| flow.acknowledged_bytes + (flow.unacked.len() / 2) as u64;
                let bytes = flows.get(connection).map_or(0, half);
                let _ = flows.apply(&Fact::Acknowledged {
                    connection,
                    bytes,
                    end: false,
                });
            }
            4 => flows.hang_up(connection),
            5 => {
                let mtu = MTU_MIN + bytes as u16;
                let _ = flows.apply(&Fact::PathMtu { connection, mtu });
            }
            6 => flows
                .apply(&Fact::Secret {
                    secret: bytes as u64,
                })
                .unwrap(),
            _ if bytes % 2 == 0 => {
                let _ = flows.apply(&Fact::Gone { connection });
            }
            _ => {
                let _ = flows.apply(&Fact::PeerClosed { connection });
                flows.closed(connection);
            }
        }
    }

    /// Returns all connections with their replies, which may be cut into other pieces.
    fn all(flows: &Flows) -> Vec<(ConnectionId, Flow, Vec<u8>)> {
        let whole = flows.iter().map(|(connection, flow)| {
            let mut unacked = Vec::new();
            while unacked.len() < flow.unacked.len() {
                unacked.extend_from_slice(flow.unacked.from(unacked.len()));
            }
            let unacked_is_apart = SendBuffer::default();
            let bare = Flow {
                unacked: unacked_is_apart,
                ..flow.clone()
            };
            (connection, bare, unacked)
        });
        whole.collect()
    }

    fn assert_same(restored: &Flows, flows: &Flows) {
        assert_eq!(restored.next_connection(), flows.next_connection());
        assert_eq!(restored.secret(), flows.secret());
        assert_eq!(restored.ended(), flows.ended());
        assert_eq!(all(restored), all(flows));
    }

    #[test]
    fn a_connection_that_changes_all_the_time_does_not_keep_the_others_from_being_written() {
        let mut flows = Flows::new(1 << 20);
        for connection in 1..=40 {
            take(&mut flows, (0, connection, connection as usize));
            flows.reply(connection, &[7; 3000]);
        }
        let (mut writer, mut sequence) = (FlowsWriter::default(), Sequence::default());
        let mut rounds = 0;
        loop {
            let mut sink = |_: &[u8]| {};
            let mut out = Writer::new(1, &mut sequence, &mut sink);
            if writer.write_some(&flows, &mut out, 1024) {
                break;
            }
            drop(out);
            (1..=40).for_each(|connection| flows.reply(connection, b"+OK\r\n"));
            rounds += 1;
            assert!(rounds < 1000, "it never ends");
        }
        assert!(rounds > 40, "{rounds} rounds");
    }

    #[test]
    fn a_piece_is_not_much_longer_than_it_may_be() {
        let mut flows = Flows::new(1 << 24);
        for connection in 1..=200 {
            take(&mut flows, (0, connection, connection as usize));
            flows.reply(connection, &[7; 50_000]);
        }
        let (mut writer, mut sequence) = (FlowsWriter::default(), Sequence::default());
        let mut is_whole = false;
        while !is_whole {
            let mut bytes = 0;
            let mut sink = |payload: &[u8]| bytes += payload.len();
            let mut out = Writer::new(1, &mut sequence, &mut sink);
            is_whole = writer.write_some(&flows, &mut out, 4096);
            drop(out);
            assert!(bytes < 4096 + 10_000, "{bytes} bytes at once");
        }
    }

    proptest! {
        #[test]
        fn connections_are_restored_as_they_are_written(steps in steps(60)) {
            let mut flows = Flows::new(200_000);
            steps.into_iter().for_each(|step| take(&mut flows, step));
            assert_same(&restored(&written(&flows)).unwrap(), &flows);
        }

        #[test]
        fn connections_that_go_on_meanwhile_are_restored_as_they_are_at_the_end(
            before in steps(40),
            meanwhile in prop::collection::vec((steps(4), 100..30_000_usize), 0..60),
        ) {
            let mut flows = Flows::new(200_000);
            before.into_iter().for_each(|step| take(&mut flows, step));
            let (mut records, mut sequence) = (Vec::new(), Sequence::default());
            let mut sink = |payload: &[u8]| records.push(payload.to_vec());
            let mut writer = FlowsWriter::default();
            for (steps, budget_bytes) in meanwhile {
                writer.write_some(&flows, &mut Writer::new(1, &mut sequence, &mut sink), budget_bytes);
                steps.into_iter().for_each(|step| take(&mut flows, step));
            }
            let mut out = Writer::new(1, &mut sequence, &mut sink);
            while !writer.write_some(&flows, &mut out, usize::MAX) {}
            writer.end(&flows, &mut out);
            drop(out);
            assert_same(&restored(&records).unwrap(), &flows);
        }
    }
}
