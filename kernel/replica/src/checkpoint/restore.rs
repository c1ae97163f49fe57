//! Restores a state from a checkpoint, for a reader that begins at the journal's retained position or comes too late
//! for it.

use alloc::boxed::Box;

use ::checkpoint::{Item, Items, Malformed, Sequence, decode};
use network::FlowsRestorer;
use service::ServiceRestorer;

use super::{CONNECTIONS, CheckpointedState, MARKS, Mark, SERVICE};
use crate::host::ReplicaLimits;

/// How much of the state a reader has.
pub enum CheckpointReader {
    /// Nothing: a checkpoint has to begin.
    Waiting,
    /// A part of it.
    Partial(Box<Partial>),
    /// All of it.
    Whole,
}

/// A checkpoint that has begun.
pub struct Partial {
    sequence: Sequence,
    service: ServiceRestorer,
    flows: FlowsRestorer,
}

impl CheckpointReader {
    /// Returns whether nothing is missing.
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::Whole)
    }

    /// Reads a record of a checkpoint. Returns the state if the record was the last one.
    ///
    /// # Errors
    /// The record cannot be what comes next. Everything so far is discarded.
    pub fn read(
        &mut self,
        payload: &[u8],
        limits: &ReplicaLimits,
        step: &mut dyn FnMut(),
    ) -> Result<Option<CheckpointedState>, Malformed> {
        if self.is_whole() {
            return Ok(None);
        }
        let mut first = Sequence::default();
        if let Ok((MARKS, items)) = Items::of(payload, &mut first)
            && matches!(mark(items)?, Mark::Begin)
        {
            *self = Self::Partial(Box::new(Partial {
                sequence: first,
                service: ServiceRestorer::new(limits.service.clone()),
                flows: FlowsRestorer::new(limits.unacked_bytes_max),
            }));
            return Ok(None);
        }
        match core::mem::replace(self, Self::Waiting) {
            Self::Partial(mut partial) => {
                let end = partial.restore(payload, step)?;
                let Some(Mark::End { last_time_ms }) = end else {
                    *self = Self::Partial(partial);
                    return Ok(None);
                };
                let state = CheckpointedState {
                    service: partial.service.finish()?,
                    flows: partial.flows.finish()?,
                    last_time_ms,
                };
                *self = Self::Whole;
                Ok(Some(state))
            }
            // A record of a checkpoint whose beginning was not read.
            Self::Waiting | Self::Whole => Ok(None),
        }
    }
}

impl Partial {
    fn restore(
        &mut self,
        payload: &[u8],
        step: &mut dyn FnMut(),
    ) -> Result<Option<Mark>, Malformed> {
        let (section, items) = Items::of(payload, &mut self.sequence)?;
        match section {
            MARKS => return mark(items).map(Some),
            SERVICE => self.service.restore(items, step)?,
            CONNECTIONS => self.flows.restore(items)?,
            _ => return Err(Malformed("a section that is unknown here")),
        }
        Ok(None)
    }
}

fn mark(mut items: Items<'_>) -> Result<Mark, Malformed> {
    match items.next() {
        Some(Ok(Item::Head(head))) => decode(head),
        _ => Err(Malformed("a record of marks without one")),
    }
}
