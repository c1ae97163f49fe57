//! Writes a checkpoint.

use ::checkpoint::{Sequence, Writer};

use super::{CONNECTIONS, CheckpointedState, MARKS, Mark, SERVICE};

/// A checkpoint that is being written.
pub struct CheckpointWriter {
    sequence: Sequence,
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
            position,
            bytes: 0,
            longest_ns: 0,
        }
    }

    /// Writes about `budget_bytes`; at the end, all connections. Returns whether the checkpoint is complete.
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
        state.service.end_checkpoint(&mut writer);
        drop(writer);
        state
            .flows
            .write_checkpoint(&mut Writer::new(CONNECTIONS, &mut self.sequence, &mut sink));
        let last_time_ms = state.last_time_ms;
        Writer::new(MARKS, &mut self.sequence, &mut sink).head(&Mark::End { last_time_ms });
        true
    }
}
