//! The checkpoint: how a primary tells a new backup its state, in records of the journal among the others, and how that one hears it.
//!
//! It begins and ends with a mark. What the other records between the two bring about is in it, so they are not applied; those behind its end are.

use alloc::boxed::Box;

use checkpoint::{Item, Items, Malformed, Sequence, Writer, decode};
use network::Flows;
use serde::{Deserialize, Serialize};
use service::{Limits, Service};

use crate::replica::State;

/// Bytes that are told in one round of the main loop. A value is told in one go.
const BYTES_PER_ROUND: usize = 4 << 10;

/// Whose items are in a record.
const MARKS: u8 = 0;
const SERVICE: u8 = 1;
const CONNECTIONS: u8 = 2;

/// Where a checkpoint stands.
#[derive(Debug, Serialize, Deserialize)]
enum Mark {
    Begin,
    End { last_time_ms: u64 },
}

/// A checkpoint that is being told.
pub struct Telling {
    sequence: Sequence,
    /// Bytes told so far.
    pub bytes: u64,
    /// The longest time that the clients had to wait for it, in ns.
    pub longest_ns: u64,
}

impl Telling {
    /// Begins. `sink` takes each record's payload.
    pub fn begin(state: &mut State, sink: &mut dyn FnMut(&[u8])) -> Self {
        let mut sequence = Sequence::default();
        Writer::new(MARKS, &mut sequence, sink).head(&Mark::Begin);
        state.service.begin_checkpoint();
        Self {
            sequence,
            bytes: 0,
            longest_ns: 0,
        }
    }

    /// Tells some. True if that was all.
    pub fn go_on(&mut self, state: &mut State, sink: &mut dyn FnMut(&[u8])) -> bool {
        let bytes = &mut self.bytes;
        let mut sink = |payload: &[u8]| {
            *bytes += payload.len() as u64;
            sink(payload);
        };
        let mut writer = Writer::new(SERVICE, &mut self.sequence, &mut sink);
        if !state.service.tell_keyspace(&mut writer, BYTES_PER_ROUND) {
            return false;
        }
        state.service.end_checkpoint(&mut writer);
        drop(writer);
        state
            .flows
            .tell(&mut Writer::new(CONNECTIONS, &mut self.sequence, &mut sink));
        let last_time_ms = state.last_time_ms;
        Writer::new(MARKS, &mut self.sequence, &mut sink).head(&Mark::End { last_time_ms });
        true
    }
}

/// How much of the state a backup has.
pub enum Hearing {
    /// Nothing: a checkpoint has to begin.
    Waiting,
    /// A part of it.
    Amid(Box<Amid>),
    /// All of it.
    Whole,
}

/// A checkpoint that has begun.
pub struct Amid {
    sequence: Sequence,
    service: service::Restoration,
    flows: network::Restoration,
}

/// A state that was told to its end.
pub struct Told {
    /// The service.
    pub service: Service,
    /// The connections.
    pub flows: Flows,
    /// Time of the newest record in it.
    pub last_time_ms: u64,
}

impl Hearing {
    /// Whether nothing is missing.
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::Whole)
    }

    /// Takes in what a record tells. Returns the state, if that was its end.
    ///
    /// # Errors
    /// It is not what has to come next. Everything so far is forgotten.
    pub fn hear(
        &mut self,
        payload: &[u8],
        limits: &Limits,
        owed_bytes_max: usize,
        step: &mut dyn FnMut(),
    ) -> Result<Option<Told>, Malformed> {
        if self.is_whole() {
            return Ok(None);
        }
        let mut first = Sequence::default();
        if let Ok((MARKS, items)) = Items::of(payload, &mut first)
            && matches!(mark(items)?, Mark::Begin)
        {
            *self = Self::Amid(Box::new(Amid {
                sequence: first,
                service: service::Restoration::new(limits.clone()),
                flows: network::Restoration::new(owed_bytes_max),
            }));
            return Ok(None);
        }
        match core::mem::replace(self, Self::Waiting) {
            Self::Amid(mut amid) => {
                let end = amid.hear(payload, step)?;
                let Some(Mark::End { last_time_ms }) = end else {
                    *self = Self::Amid(amid);
                    return Ok(None);
                };
                let told = Told {
                    service: amid.service.finish()?,
                    flows: amid.flows.finish()?,
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

impl Amid {
    fn hear(&mut self, payload: &[u8], step: &mut dyn FnMut()) -> Result<Option<Mark>, Malformed> {
        let (owner, items) = Items::of(payload, &mut self.sequence)?;
        match owner {
            MARKS => return mark(items).map(Some),
            SERVICE => self.service.hear(items, step)?,
            CONNECTIONS => self.flows.hear(items)?,
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
