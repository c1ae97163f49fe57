//! The state of a parser, for a checkpoint: taken out, and restored if some stream leads to it.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{ARGUMENTS_MAX, BULK_MAX_BYTES, LINE_MAX_BYTES, Parser, State};
use crate::{Bytes, heap_bytes};

/// The state of a parser without its strings: those are the incomplete line, and the arguments so far.
#[derive(Debug, Serialize, Deserialize)]
pub struct ParserProgress {
    pub(super) state: State,
    pub(super) remaining: usize,
    pub(super) request_bytes: usize,
}

impl ParserProgress {
    /// Returns it as numbers, which are the same only for the same progress.
    pub fn numbers(&self) -> [u64; 4] {
        let (state, detail) = match self.state {
            State::Start => (0, 0),
            State::Inline => (1, 0),
            State::Count => (2, 0),
            State::Length => (3, 0),
            State::Argument { missing } => (4, missing as u64),
            State::ArgumentEnd { skip } => (5, skip as u64),
        };
        let (remaining, request_bytes) = (self.remaining as u64, self.request_bytes as u64);
        [state, detail, remaining, request_bytes]
    }
}

impl Parser {
    /// Restores a parser. Returns `None` if no stream leads to such a state.
    pub fn restored(
        progress: ParserProgress,
        line: Vec<u8>,
        arguments: Vec<Bytes>,
    ) -> Option<Self> {
        let complete = match progress.state {
            State::Argument { .. } => arguments.len().saturating_sub(1),
            _ => arguments.len(),
        };
        let strings = arguments[..complete].iter();
        let parser = Self {
            state: progress.state,
            line,
            remaining: progress.remaining,
            request_bytes: progress.request_bytes,
            strings_bytes: strings.map(|word| heap_bytes(word.len()) as usize).sum(),
            arguments,
        };
        parser.is_sound().then_some(parser)
    }

    /// Returns whether some stream leads to this state. Everything else relies on it.
    fn is_sound(&self) -> bool {
        let is_idle = self.remaining == 0 && self.arguments.is_empty();
        let is_amid = (1..=ARGUMENTS_MAX).contains(&self.remaining);
        let is_open = is_amid && self.line.is_empty() && !self.arguments.is_empty();
        let mut announced_bytes = self.arguments.len() * size_of::<Bytes>();
        announced_bytes += self.arguments.iter().map(|word| word.len()).sum::<usize>();
        let fits = match self.state {
            State::Start => is_idle && self.line.is_empty(),
            State::Inline => is_idle,
            State::Count => is_idle && self.line.starts_with(b"*"),
            State::Length => is_amid,
            State::Argument { missing } => {
                announced_bytes = announced_bytes.saturating_add(missing);
                is_open && missing <= BULK_MAX_BYTES
            }
            State::ArgumentEnd { skip } => is_open && (1..=2).contains(&skip),
        };
        // A header's CR may be in the line already.
        fits && self.line.len() <= LINE_MAX_BYTES + 1 && self.request_bytes == announced_bytes
    }

    /// Returns the state without its strings.
    pub fn progress(&self) -> ParserProgress {
        ParserProgress {
            state: self.state,
            remaining: self.remaining,
            request_bytes: self.request_bytes,
        }
    }
}
