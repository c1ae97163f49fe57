//! CheckpointReader: the side of who reads the journal from its retained beginning, or came too late for it.

use alloc::boxed::Box;

use ::checkpoint::{Item, Items, Malformed, Sequence, decode};
use network::Flows;
use service::Service;

use super::{CONNECTIONS, MARKS, Mark, SERVICE};
use crate::host::ReplicaLimits;

/// How much of the state a backup has.
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
    service: service::ServiceRestorer,
    flows: network::FlowsRestorer,
}

/// A state that was told to its end.
pub struct RestoredState {
    /// The service.
    pub service: Service,
    /// The connections.
    pub flows: Flows,
    /// Time of the newest record in it.
    pub last_time_ms: u64,
}

impl CheckpointReader {
    /// Returns whether nothing is missing.
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::Whole)
    }

    /// Takes in what a record tells. Returns the state, if that was its end.
    ///
    /// # Errors
    /// It is not what has to come next. Everything so far is forgotten.
    pub fn read(
        &mut self,
        payload: &[u8],
        limits: &ReplicaLimits,
        step: &mut dyn FnMut(),
    ) -> Result<Option<RestoredState>, Malformed> {
        if self.is_whole() {
            return Ok(None);
        }
        let mut first = Sequence::default();
        if let Ok((MARKS, items)) = Items::of(payload, &mut first)
            && matches!(mark(items)?, Mark::Begin)
        {
            *self = Self::Partial(Box::new(Partial {
                sequence: first,
                service: service::ServiceRestorer::new(limits.service.clone()),
                flows: network::FlowsRestorer::new(limits.unacked_bytes_max),
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
                let told = RestoredState {
                    service: partial.service.finish()?,
                    flows: partial.flows.finish()?,
                    last_time_ms,
                };
                *self = Self::Whole;
                Ok(Some(told))
            }
            // The rest of one whose beginning was not seen.
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
        let (owner, items) = Items::of(payload, &mut self.sequence)?;
        match owner {
            MARKS => return mark(items).map(Some),
            SERVICE => self.service.restore(items, step)?,
            CONNECTIONS => self.flows.restore(items)?,
            _ => return Err(Malformed("state of somebody who is not known here")),
        }
        Ok(None)
    }
}

fn mark(mut items: Items<'_>) -> Result<Mark, Malformed> {
    match items.next() {
        Some(Ok(Item::Head(head))) => decode(head),
        _ => Err(Malformed("a mark that is none")),
    }
}
