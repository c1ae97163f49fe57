//! All connections, told to a new backup in one go.

use core::mem;

use checkpoint::{Item, Items, Joiner, Malformed, Writer, decode};
use serde::{Deserialize, Serialize};

use crate::fact::{Fact, Handshake, WINDOW_SCALE_MAX};
use crate::flow::{COUNT_MAX, Flows};
use crate::{ConnectionId, Peer};

/// What follows.
#[derive(Debug, Serialize, Deserialize)]
enum Head {
    /// A connection. What its client is owed follows.
    Flow(Image),
    /// The end.
    End {
        last_connection: ConnectionId,
        flows: u64,
        unacked_bytes: u64,
    },
}

/// A flow, but for what its client is owed.
#[derive(Debug, Serialize, Deserialize)]
struct Image {
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
    is_doomed: bool,
}

impl Flows {
    /// Tells them.
    pub fn write_checkpoint(&self, writer: &mut Writer<'_>) {
        let (mut flows, mut unacked_bytes) = (0, 0);
        for (connection, flow) in self.iter() {
            writer.head(&Head::Flow(Image {
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
                is_doomed: flow.is_doomed,
            }));
            writer.string_of(flow.unacked.len(), |from| flow.unacked.from(from));
            flows += 1;
            unacked_bytes += flow.unacked.len() as u64;
        }
        writer.head(&Head::End {
            last_connection: self.last_connection(),
            flows,
            unacked_bytes,
        });
    }
}

/// Connections that are being told.
pub struct FlowsRestorer {
    flows: Flows,
    joiner: Joiner,
    /// Whose replies come next.
    begun: Option<Image>,
    told_unacked_bytes: u64,
    is_whole: bool,
}

impl FlowsRestorer {
    /// Of none yet. For the limit see [`Flows::new`].
    pub fn new(unacked_bytes_max: usize) -> Self {
        Self {
            flows: Flows::new(unacked_bytes_max),
            joiner: Joiner::default(),
            begun: None,
            told_unacked_bytes: 0,
            is_whole: false,
        }
    }

    /// Takes in what one record tells.
    ///
    /// # Errors
    /// It cannot be what comes next. The restorer is of no use any more.
    pub fn restore(&mut self, items: Items<'_>) -> Result<(), Malformed> {
        for item in items {
            match item? {
                Item::Head(head) => self.head(decode(head)?)?,
                Item::Part { bytes, is_last } => {
                    if let Some(unacked) = self.joiner.join(bytes, is_last) {
                        self.flow(&unacked)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The connections, if all of them were told.
    ///
    /// # Errors
    /// Something is missing.
    pub fn finish(self) -> Result<Flows, Malformed> {
        if self.is_whole {
            Ok(self.flows)
        } else {
            Err(Malformed("the connections' end is missing"))
        }
    }

    fn head(&mut self, head: Head) -> Result<(), Malformed> {
        if self.begun.is_some() || self.is_whole {
            return Err(Malformed("a connection where none can be"));
        }
        match head {
            Head::Flow(image) => self.begun = Some(image),
            Head::End {
                last_connection,
                flows,
                unacked_bytes,
            } => {
                if (self.flows.len() as u64, self.told_unacked_bytes) != (flows, unacked_bytes) {
                    return Err(Malformed("the connections do not add up"));
                }
                if last_connection > COUNT_MAX {
                    return Err(Malformed("a number that no connection has"));
                }
                self.flows.restore_last_connection(last_connection);
                self.is_whole = true;
            }
        }
        Ok(())
    }

    fn flow(&mut self, unacked: &[u8]) -> Result<(), Malformed> {
        let image = mem::take(&mut self.begun).ok_or(Malformed("replies of no connection"))?;
        if image.received_bytes.max(image.acknowledged_bytes) > COUNT_MAX {
            return Err(Malformed("more bytes than a connection carries"));
        }
        let Handshake {
            mss, window_scale, ..
        } = image.handshake;
        if window_scale.is_some_and(|scale| scale > WINDOW_SCALE_MAX) || mss == Some(0) {
            return Err(Malformed("a beginning that no connection had"));
        }
        let begun = Fact::Begun {
            connection: image.connection,
            peer: image.peer,
            handshake: image.handshake,
        };
        self.flows
            .apply(&begun)
            .map_err(|_| Malformed("a connection is told twice"))?;
        self.told_unacked_bytes += unacked.len() as u64;
        self.flows.restore(image.connection, unacked, |flow| {
            flow.is_open = image.is_open;
            flow.is_closed = image.is_closed;
            flow.received_bytes = image.received_bytes;
            flow.peer_has_closed = image.peer_has_closed;
            flow.acknowledged_bytes = image.acknowledged_bytes;
            flow.is_end_acknowledged = image.is_end_acknowledged;
            flow.is_hung_up = image.is_hung_up;
            flow.is_doomed = image.is_doomed;
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

    fn told(flows: &Flows) -> Vec<Vec<u8>> {
        let (mut records, mut sequence) = (Vec::new(), Sequence::default());
        let mut sink = |payload: &[u8]| records.push(payload.to_vec());
        flows.write_checkpoint(&mut Writer::new(1, &mut sequence, &mut sink));
        records
    }

    fn heard(records: &[Vec<u8>]) -> Result<Flows, Malformed> {
        let (mut restorer, mut sequence) = (FlowsRestorer::new(1 << 20), Sequence::default());
        for record in records {
            restorer.restore(Items::of(record, &mut sequence)?.1)?;
        }
        restorer.finish()
    }

    #[test]
    fn counts_that_cannot_be_are_refused() {
        let scaled = |received_bytes, acknowledged_bytes, window_scale| Image {
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
            is_doomed: false,
        };
        let image = |received_bytes, acknowledged_bytes| {
            scaled(received_bytes, acknowledged_bytes, WINDOW_SCALE_MAX)
        };
        let is_heard = |image, last_connection| {
            let (mut records, mut sequence) = (Vec::new(), Sequence::default());
            let mut sink = |payload: &[u8]| records.push(payload.to_vec());
            let mut writer = Writer::new(1, &mut sequence, &mut sink);
            writer.head(&Head::Flow(image));
            writer.string(b"+OK\r\n");
            writer.head(&Head::End {
                last_connection,
                flows: 1,
                unacked_bytes: 5,
            });
            drop(writer);
            heard(&records).is_ok()
        };
        assert!(is_heard(image(COUNT_MAX, COUNT_MAX), COUNT_MAX));
        assert!(!is_heard(image(u64::MAX, 0), 1));
        assert!(!is_heard(image(0, u64::MAX), 1));
        assert!(!is_heard(image(0, 0), u64::MAX));
        assert!(!is_heard(scaled(0, 0, WINDOW_SCALE_MAX + 1), 1));
    }

    proptest! {
        #[test]
        fn connections_are_heard_as_they_are_told(
            steps in prop::collection::vec((0..6_u8, 1..9_u64, 0..40_000_usize), 0..60),
        ) {
            let mut flows = Flows::new(200_000);
            for (step, connection, bytes) in steps {
                // Those that cannot be are refused, and change nothing.
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
                        let bytes = flows.get(connection).map_or(0, |flow| flow.acknowledged_bytes + (flow.unacked.len() / 2) as u64);
                        let _ = flows.apply(&Fact::Acknowledged { connection, bytes, end: false });
                    }
                    4 => flows.hang_up(connection),
                    _ if bytes % 2 == 0 => {
                        let _ = flows.apply(&Fact::Gone { connection });
                    }
                    _ => {
                        let _ = flows.apply(&Fact::PeerClosed { connection });
                        flows.closed(connection);
                    }
                }
            }
            let heard = heard(&told(&flows)).unwrap();
            prop_assert_eq!(heard.next_connection(), flows.next_connection());
            // The pieces in which replies are kept may be others.
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
            prop_assert_eq!(all(&heard), all(&flows));
        }
    }
}
