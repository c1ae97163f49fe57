//! CheckpointWriter: the primary's side.

use ::checkpoint::{Sequence, Writer};

use super::{CONNECTIONS, MARKS, Mark, SERVICE};
use crate::state::ReplicaState;

/// A checkpoint that is being told.
pub struct CheckpointWriter {
    sequence: Sequence,
    /// Where it begins in the journal.
    pub position: u64,
    /// Bytes told so far.
    pub bytes: u64,
    /// The longest time that the clients had to wait for it, in ns.
    pub longest_ns: u64,
}

impl CheckpointWriter {
    /// Begins, with a record at `position`. `sink` takes each record's payload.
    pub fn begin(state: &mut ReplicaState, position: u64, sink: &mut dyn FnMut(&[u8])) -> Self {
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

    /// Tells about `budget_bytes`. A value is told in one go. True if that was all.
    pub fn write_some(
        &mut self,
        state: &mut ReplicaState,
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
