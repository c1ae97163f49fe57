//! Writing the connections into a checkpoint.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use checkpoint::Writer;

use super::{FlowImage, Head};
use crate::ConnectionId;
use crate::flow::Flow;
use crate::flows::Flows;

/// Replies that are written at a time, in bytes.
const PIECE_BYTES: u64 = 8 << 10;
/// Pieces that are written because a connection has changed since it was written, for each connection. Beyond that the
/// rest is written in one go: else a checkpoint beside clients that never pause would not end.
const REPEATS_MAX: usize = 16;

/// Writes the connections into a checkpoint, in pieces, while they go on.
#[derive(Debug, Default)]
pub struct FlowsWriter {
    told: BTreeMap<ConnectionId, Told>,
    /// Pieces that brought up to date what was written.
    repeats: usize,
}

/// What was written of a connection.
#[derive(Debug)]
struct Told {
    image: FlowImage,
    /// Position behind the last reply that was written.
    end: u64,
    /// Whether it was written as it was at some time.
    was_level: bool,
}

impl FlowsWriter {
    /// Writes what has changed of the connections that were written, and then others, until `budget_bytes` are written.
    /// Returns whether all are written as they are now: then [`end`](Self::end) may be called before anything else
    /// changes.
    pub fn write_some(
        &mut self,
        flows: &Flows,
        writer: &mut Writer<'_>,
        budget_bytes: usize,
    ) -> bool {
        let gone = self.told.keys().filter(|it| flows.get(**it).is_none());
        let gone: Vec<ConnectionId> = gone.copied().collect();
        for connection in gone {
            self.told.remove(&connection);
            writer.head(&Head::Gone(connection));
        }
        // First those that were written, so that a reader is not left with more replies than there ever were; half of
        // the room is for the others.
        let (known, new): (Vec<_>, Vec<_>) = flows
            .iter()
            .partition(|(connection, _)| self.told.contains_key(connection));
        let is_patient = self.repeats <= REPEATS_MAX * flows.len();
        let budget_bytes = if is_patient { budget_bytes } else { usize::MAX };
        let known_bytes = budget_bytes >> u32::from(!new.is_empty());
        self.write_pieces(&known, writer, known_bytes)
            & self.write_pieces(&new, writer, budget_bytes)
    }

    /// Writes pieces of these connections until `budget_bytes` are written. Returns whether they are written as they
    /// are now.
    fn write_pieces(
        &mut self,
        flows: &[(ConnectionId, &Flow)],
        writer: &mut Writer<'_>,
        budget_bytes: usize,
    ) -> bool {
        for (connection, flow) in flows {
            while self.is_behind(*connection, flow) {
                if writer.written_bytes() >= budget_bytes {
                    return false;
                }
                self.write_piece(*connection, flow, writer);
            }
        }
        true
    }

    /// Writes the end.
    pub fn end(&self, flows: &Flows, writer: &mut Writer<'_>) {
        writer.head(&Head::End {
            last_connection: flows.last_connection(),
            secret: flows.secret(),
            flows: flows.len() as u64,
            unacked_bytes: flows.unacked_bytes() as u64,
        });
        writer.string(&flows.ended().encode());
    }

    /// Writes all connections as they are now, and the end.
    pub fn write_all(flows: &Flows, writer: &mut Writer<'_>) {
        let mut all = Self::default();
        while !all.write_some(flows, writer, usize::MAX) {}
        all.end(flows, writer);
    }

    /// Returns whether something of a connection is not written as it is now.
    fn is_behind(&self, connection: ConnectionId, flow: &Flow) -> bool {
        self.told
            .get(&connection)
            .is_none_or(|told| told.end != end_of(flow) || told.image != image_of(connection, flow))
    }

    /// Writes the connection as it is now, and the next of its replies.
    fn write_piece(&mut self, connection: ConnectionId, flow: &Flow, writer: &mut Writer<'_>) {
        let (begin, end) = (flow.acknowledged_bytes, end_of(flow));
        let told = self.told.get(&connection);
        let was_level = told.is_some_and(|told| told.was_level);
        self.repeats += usize::from(was_level);
        // What was written ahead of it is acknowledged, or was dropped with the connection.
        let from = told.map_or(begin, |told| told.end).clamp(begin, end);
        let piece_bytes = (end - from).min(PIECE_BYTES) as usize;
        let image = image_of(connection, flow);
        writer.head(&Head::Flow {
            image: image.clone(),
            from,
        });
        let offset = (from - begin) as usize;
        writer.string_of(piece_bytes, |at| {
            let rest = flow.unacked.from(offset + at);
            &rest[..rest.len().min(piece_bytes - at)]
        });
        let told = Told {
            image,
            end: from + piece_bytes as u64,
            was_level: was_level || from + piece_bytes as u64 == end,
        };
        self.told.insert(connection, told);
    }
}

/// Returns the position behind a connection's last reply.
fn end_of(flow: &Flow) -> u64 {
    flow.acknowledged_bytes + flow.unacked.len() as u64
}

fn image_of(connection: ConnectionId, flow: &Flow) -> FlowImage {
    FlowImage {
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
    }
}
