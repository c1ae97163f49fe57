//! Writes a checkpoint.

use ::checkpoint::{Sequence, Writer};
use network::FlowsWriter;

use super::{CONNECTIONS, CheckpointedState, MARKS, Mark, SERVICE};

/// Bytes of connections that are written in a round whatever the keyspace takes.
const FLOWS_BYTES_MIN: usize = 4 << 10;

/// A checkpoint that is being written.
pub struct CheckpointWriter {
    sequence: Sequence,
    flows: FlowsWriter,
    /// Position of its beginning in the journal.
    pub position: u64,
    /// Bytes written so far.
    pub bytes: u64,
    /// The longest time that clients had to wait for it, in ns.
    pub longest_ns: u64,
}

impl CheckpointWriter {
    /// Begins a checkpoint with a record at `position`. `sink` takes the payload of each record.
    pub fn begin(
        state: &mut CheckpointedState,
        position: u64,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Self {
        let mut sequence = Sequence::default();
        Writer::new(MARKS, &mut sequence, sink).head(&Mark::Begin);
        state.service.begin_checkpoint();
        Self {
            sequence,
            flows: FlowsWriter::default(),
            position,
            bytes: 0,
            longest_ns: 0,
        }
    }

    /// Writes about `budget_bytes`: of the keyspace, then of the connections. It is complete when both are written as
    /// they are now; what is left then, the service's clients and counters, is written in one go. Returns whether it
    /// is.
    pub fn write_some(
        &mut self,
        state: &mut CheckpointedState,
        budget_bytes: usize,
        sink: &mut dyn FnMut(&[u8]),
    ) -> bool {
        let bytes = &mut self.bytes;
        let mut sink = |payload: &[u8]| {
            *bytes += payload.len() as u64;
            sink(payload);
        };
        let mut writer = Writer::new(SERVICE, &mut self.sequence, &mut sink);
        if !state.service.write_keyspace(&mut writer, budget_bytes) {
            return false;
        }
        let left_bytes = budget_bytes.saturating_sub(writer.written_bytes());
        drop(writer);
        let mut writer = Writer::new(CONNECTIONS, &mut self.sequence, &mut sink);
        let flows_bytes = left_bytes.max(FLOWS_BYTES_MIN);
        if !self
            .flows
            .write_some(&state.flows, &mut writer, flows_bytes)
        {
            return false;
        }
        self.flows.end(&state.flows, &mut writer);
        drop(writer);
        let mut writer = Writer::new(SERVICE, &mut self.sequence, &mut sink);
        state.service.end_checkpoint(&mut writer);
        drop(writer);
        let last_time_ms = state.last_time_ms;
        Writer::new(MARKS, &mut self.sequence, &mut sink).head(&Mark::End { last_time_ms });
        true
    }
}
