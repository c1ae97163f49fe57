//! All connections in a checkpoint: written by the primary in one go, restored by whoever reads the journal.

use core::mem;

use checkpoint::{Item, Items, Joiner, Malformed, Writer, decode};
use serde::{Deserialize, Serialize};

use crate::ended::Ended;
use crate::fact::{Fact, Handshake, WINDOW_SCALE_MAX};
use crate::flows::{COUNT_MAX, Flows};
use crate::path_mtu::MTU_MIN;
use crate::{ConnectionId, Peer};

/// The heads in this part of a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
enum Head {
    /// A connection. A string with its unacknowledged replies follows.
    Flow(FlowImage),
    /// The end. A string with the connections that ended last follows.
    End {
        last_connection: ConnectionId,
        secret: Option<u64>,
        flows: u64,
        unacked_bytes: u64,
    },
}

/// A flow without its unacknowledged replies.
#[derive(Debug, Serialize, Deserialize)]
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

impl Flows {
    /// Writes all connections into a checkpoint.
    pub fn write_checkpoint(&self, writer: &mut Writer<'_>) {
        let (mut flows, mut unacked_bytes) = (0, 0);
        for (connection, flow) in self.iter() {
            writer.head(&Head::Flow(FlowImage {
                connection,
                peer: flow.peer,
                handshake: flow.handshake,
                is_open: flow.is_open,
                is_closed: flow.is_closed,
                received_bytes: flow.received_bytes,
                peer_has_closed: flow.peer_has_closed,
                acknowledged_bytes: flow.acknowledged_bytes,
                is_end_acknowledged: flow.is_end_acknowledged,
                is_hung_up: flow.is_hung_up,
                is_aborted: flow.is_aborted,
                path_mtu: flow.path_mtu,
            }));
            writer.string_of(flow.unacked.len(), |from| flow.unacked.from(from));
            flows += 1;
            unacked_bytes += flow.unacked.len() as u64;
        }
        writer.head(&Head::End {
            last_connection: self.last_connection(),
            secret: self.secret(),
            flows,
            unacked_bytes,
        });
        writer.string(&self.ended().encode());
    }
}

/// Restores connections from a checkpoint.
pub struct FlowsRestorer {
    flows: Flows,
    joiner: Joiner,
    /// The connection whose replies come next.
    begun: Option<FlowImage>,
    /// What the end said.
    end: Option<(ConnectionId, Option<u64>)>,
    restored_bytes: u64,
    is_whole: bool,
}

impl FlowsRestorer {
    /// Begins, with no connection. For the limit see [`Flows::new`].
    pub fn new(unacked_bytes_max: usize) -> Self {
        Self {
            flows: Flows::new(unacked_bytes_max),
            joiner: Joiner::default(),
            begun: None,
            end: None,
            restored_bytes: 0,
            is_whole: false,
        }
    }

    /// Takes the items of one record.
    ///
    /// # Errors
    /// They cannot be what comes next. The restorer cannot be used any more.
    pub fn restore(&mut self, items: Items<'_>) -> Result<(), Malformed> {
        for item in items {
            match item? {
                Item::Head(head) => self.head(decode(head)?)?,
                Item::Part { bytes, is_last } => {
                    if let Some(string) = self.joiner.join(bytes, is_last) {
                        match self.end.take() {
                            Some((last, secret)) => self.rest(last, secret, &string)?,
                            None => self.flow(&string)?,
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns the connections.
    ///
    /// # Errors
    /// The end of the connections is missing.
    pub fn finish(self) -> Result<Flows, Malformed> {
        if self.is_whole {
            Ok(self.flows)
        } else {
            Err(Malformed("the connections' end is missing"))
        }
    }

    fn head(&mut self, head: Head) -> Result<(), Malformed> {
        if self.begun.is_some() || self.end.is_some() || self.is_whole {
            return Err(Malformed("a connection where none can be"));
        }
        match head {
            Head::Flow(image) => self.begun = Some(image),
            Head::End {
                last_connection,
                secret,
                flows,
                unacked_bytes,
            } => {
                if (self.flows.len() as u64, self.restored_bytes) != (flows, unacked_bytes) {
                    return Err(Malformed("the connections do not add up"));
                }
                if last_connection > COUNT_MAX {
                    return Err(Malformed("a connection number that is too large"));
                }
                self.end = Some((last_connection, secret));
            }
        }
        Ok(())
    }

    fn rest(
        &mut self,
        last_connection: ConnectionId,
        secret: Option<u64>,
        ended: &[u8],
    ) -> Result<(), Malformed> {
        let ended =
            Ended::decode(ended).ok_or(Malformed("more ended connections than are kept"))?;
        self.flows.restore_rest(last_connection, secret, ended);
        self.is_whole = true;
        Ok(())
    }

    fn flow(&mut self, unacked: &[u8]) -> Result<(), Malformed> {
        let image = mem::take(&mut self.begun).ok_or(Malformed("replies without a connection"))?;
        if image.received_bytes.max(image.acknowledged_bytes) > COUNT_MAX {
            return Err(Malformed("more bytes than a connection carries"));
        }
        let Handshake {
            mss, window_scale, ..
        } = image.handshake;
        if window_scale.is_some_and(|scale| scale > WINDOW_SCALE_MAX) || mss == Some(0) {
            return Err(Malformed("a handshake that no connection has"));
        }
        if image.path_mtu.is_some_and(|mtu| mtu < MTU_MIN) {
            return Err(Malformed("a path MTU that is never believed"));
        }
        let begun = Fact::Begun {
            connection: image.connection,
            peer: image.peer,
            handshake: image.handshake,
        };
        self.flows
            .apply(&begun)
            .map_err(|_| Malformed("a connection comes twice"))?;
        self.restored_bytes += unacked.len() as u64;
        self.flows.restore(image.connection, unacked, |flow| {
            flow.is_open = image.is_open;
            flow.is_closed = image.is_closed;
            flow.received_bytes = image.received_bytes;
            flow.peer_has_closed = image.peer_has_closed;
            flow.acknowledged_bytes = image.acknowledged_bytes;
            flow.is_end_acknowledged = image.is_end_acknowledged;
            flow.is_hung_up = image.is_hung_up;
            // Replies that did not fit into this kernel's limit are gone.
            flow.is_aborted |= image.is_aborted;
            flow.path_mtu = image.path_mtu;
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Flow;
    use crate::send_buffer::SendBuffer;
    use alloc::vec;
    use alloc::vec::Vec;
    use checkpoint::Sequence;
    use proptest::prelude::*;

    fn written(flows: &Flows) -> Vec<Vec<u8>> {
        let (mut records, mut sequence) = (Vec::new(), Sequence::default());
        let mut sink = |payload: &[u8]| records.push(payload.to_vec());
        flows.write_checkpoint(&mut Writer::new(1, &mut sequence, &mut sink));
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
        let is_restored = |image, last_connection| {
            let (mut records, mut sequence) = (Vec::new(), Sequence::default());
            let mut sink = |payload: &[u8]| records.push(payload.to_vec());
            let mut writer = Writer::new(1, &mut sequence, &mut sink);
            writer.head(&Head::Flow(image));
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

    proptest! {
        #[test]
        fn connections_are_restored_as_they_are_written(
            steps in prop::collection::vec((0..8_u8, 1..9_u64, 0..40_000_usize), 0..60),
        ) {
            let mut flows = Flows::new(200_000);
            for (step, connection, bytes) in steps {
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
                        let _ = flows.apply(&Fact::Begun { connection, peer, handshake });
                        flows.opened(connection);
                    }
                    1 => flows.received(connection, bytes),
                    2 => flows.reply(connection, &vec![connection as u8; bytes]),
                    3 => {
                        let half = |flow: &Flow| flow.acknowledged_bytes + (flow.unacked.len() / 2) as u64;
                        let bytes = flows.get(connection).map_or(0, half);
                        let _ = flows.apply(&Fact::Acknowledged { connection, bytes, end: false });
                    }
                    4 => flows.hang_up(connection),
                    5 => {
                        let mtu = MTU_MIN + bytes as u16;
                        let _ = flows.apply(&Fact::PathMtu { connection, mtu });
                    }
                    6 => flows.apply(&Fact::Secret { secret: bytes as u64 }).unwrap(),
                    _ if bytes % 2 == 0 => {
                        let _ = flows.apply(&Fact::Gone { connection });
                    }
                    _ => {
                        let _ = flows.apply(&Fact::PeerClosed { connection });
                        flows.closed(connection);
                    }
                }
            }
            let restored = restored(&written(&flows)).unwrap();
            prop_assert_eq!(restored.next_connection(), flows.next_connection());
            prop_assert_eq!(restored.secret(), flows.secret());
            prop_assert_eq!(restored.ended(), flows.ended());
            // Replies may be cut into other pieces.
            let all = |flows: &Flows| -> Vec<_> {
                let whole = flows.iter().map(|(connection, flow)| {
                    let mut unacked = Vec::new();
                    while unacked.len() < flow.unacked.len() {
                        unacked.extend_from_slice(flow.unacked.from(unacked.len()));
                    }
                    let bare = Flow { unacked: SendBuffer::default(), ..flow.clone() };
                    (connection, bare, unacked)
                });
                whole.collect()
            };
            prop_assert_eq!(all(&restored), all(&flows));
        }
    }
}
