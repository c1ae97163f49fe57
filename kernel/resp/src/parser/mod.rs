//! Parses requests from a byte stream: RESP2 arrays of bulk strings, and inline commands.
//!
//! The parser never looks at a byte twice: complete arguments are values already, an incomplete one grows in place,
//! and only an incomplete *line* (at most 64 KiB) is buffered. The result does not depend on how the stream is cut
//! into records.

mod error;
mod inline;
mod limits;
mod progress;
#[cfg(test)]
mod tests;

pub use error::ProtocolError;
pub use limits::{ARGUMENTS_MAX, BULK_MAX_BYTES, LINE_MAX_BYTES, RequestLimits};
pub use progress::ParserProgress;

use crate::number::parse_integer;
use crate::{Arguments, Bytes, Step, heap_bytes};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;
use limits::{UNAUTHENTICATED_ARGUMENTS_MAX, UNAUTHENTICATED_BULK_MAX_BYTES};
use serde::{Deserialize, Serialize};

/// Memory reserved for an announced argument before its bytes are there. Announcing costs a client nothing, so this
/// is small.
const RESERVE_MAX_BYTES: usize = 64 * 1024;
/// Argument slots kept between requests.
const KEPT_ARGUMENTS: usize = 64;

/// What the parser found.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// A request is in [`arguments`](Parser::arguments); call [`Parser::finish`] when it is done.
    Request,
    /// All bytes are used up.
    NeedMore,
}

#[derive(Default, Debug, PartialEq, Eq, Clone, Copy, Serialize, Deserialize)]
enum State {
    /// Before the first byte of a request.
    #[default]
    Start,
    /// In a line that holds an inline command.
    Inline,
    /// In the line that holds the number of arguments.
    Count,
    /// In the line that holds the length of the next argument.
    Length,
    /// In the last of `arguments`: `missing` bytes are still to come, then a CR and a LF.
    Argument { missing: usize },
    /// Behind an argument: `skip` bytes of CR and LF are still to come.
    ArgumentEnd { skip: usize },
}

/// A parser, and the request that it is in.
#[derive(Default)]
pub struct Parser {
    state: State,
    /// The incomplete line.
    line: Vec<u8>,
    /// Number of arguments still to come, with the incomplete one.
    remaining: usize,
    /// Memory that the request takes with all that it has announced, in bytes.
    request_bytes: usize,
    /// Memory of the complete arguments on the heap, in bytes.
    strings_bytes: usize,
    /// The arguments so far.
    arguments: Vec<Bytes>,
}

impl Parser {
    /// Returns the incomplete line.
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    /// Takes bytes from the front of `input` until a request is complete or the bytes are used up. Counts a step for
    /// each argument and each line. Refuses a request that would take more than `limits` allow.
    pub fn next(
        &mut self,
        input: &mut &[u8],
        limits: &RequestLimits,
        steps: &mut impl Step,
    ) -> Result<Found, ProtocolError> {
        loop {
            // Once in each round, because a stream of empty lines is work too.
            steps.step();
            match self.state {
                State::Start if !self.arguments.is_empty() => return Ok(Found::Request),
                State::Start => match input.first() {
                    None => return Ok(Found::NeedMore),
                    Some(b'*') => self.state = State::Count,
                    Some(_) => self.state = State::Inline,
                },
                State::Inline => {
                    if !self.inline(input)? {
                        return Ok(Found::NeedMore);
                    }
                }
                State::Count => {
                    if !self.count(input, limits)? {
                        return Ok(Found::NeedMore);
                    }
                }
                State::Length => {
                    if !self.length(input, limits)? {
                        return Ok(Found::NeedMore);
                    }
                }
                State::Argument { missing } => {
                    if input.is_empty() && missing > 0 {
                        return Ok(Found::NeedMore);
                    }
                    self.argument(input, missing);
                }
                State::ArgumentEnd { skip } => {
                    let skipped = skip.min(input.len());
                    *input = &input[skipped..];
                    if skipped < skip {
                        self.state = State::ArgumentEnd {
                            skip: skip - skipped,
                        };
                        return Ok(Found::NeedMore);
                    }
                    self.end_argument();
                }
            }
        }
    }

    /// Forgets the request that was found, and frees the memory of a large one.
    pub fn finish(&mut self, steps: &mut impl Step) {
        for _ in self.arguments.drain(..) {
            steps.step();
        }
        self.arguments.shrink_to(KEPT_ARGUMENTS);
        self.request_bytes = 0;
        self.strings_bytes = 0;
    }

    /// Takes the arguments of the request that was found.
    pub fn take_arguments(&mut self) -> Box<[Bytes]> {
        mem::take(&mut self.arguments).into_boxed_slice()
    }

    /// Returns the arguments of the request that was found.
    pub fn arguments(&mut self) -> Arguments<'_> {
        Arguments::new(&mut self.arguments)
    }

    /// Returns the arguments so far of an incomplete request; the last one may be incomplete.
    pub fn arguments_so_far(&self) -> &[Bytes] {
        &self.arguments
    }

    /// Returns the memory of an incomplete request, in bytes: not less than what it has on the heap. It depends on
    /// the stream so far, not on the allocator. It does not include the few argument slots that every connection
    /// keeps between its requests.
    pub fn kept_bytes(&self) -> usize {
        if self.state == State::Start {
            return 0;
        }
        // A vector that grows has room for twice its length at most.
        let slots = 2 * self.arguments.len();
        let line = heap_bytes(2 * self.line.len()) as usize;
        line + slots * size_of::<Bytes>() + self.strings_bytes + self.open_bytes()
    }

    /// Returns the memory of the incomplete argument on the heap, in bytes.
    fn open_bytes(&self) -> usize {
        let (State::Argument { missing }, Some(argument)) = (self.state, self.arguments.last())
        else {
            return 0;
        };
        let announced = argument.len() + missing;
        let reserved = announced.min(RESERVE_MAX_BYTES.max(2 * argument.len()));
        heap_bytes(reserved) as usize
    }

    /// Reads an inline command; an empty line is none. Returns false if it is incomplete.
    fn inline(&mut self, input: &mut &[u8]) -> Result<bool, ProtocolError> {
        let Some(end) = input.iter().position(|&byte| byte == b'\n') else {
            self.keep_line(input, ProtocolError::InlineTooLong)?;
            return Ok(false);
        };
        if self.line.len() + end > LINE_MAX_BYTES {
            return Err(ProtocolError::InlineTooLong);
        }
        let head = &input[..end];
        *input = &input[end + 1..];
        self.state = State::Start;
        let split = |line: &[u8], arguments: &mut Vec<Bytes>| {
            inline::split(line.strip_suffix(b"\r").unwrap_or(line), arguments)
                .map_err(|inline::Unbalanced| ProtocolError::UnbalancedQuotes)
        };
        if self.line.is_empty() {
            split(head, &mut self.arguments)?;
        } else {
            self.line.extend_from_slice(head);
            split(&self.line, &mut self.arguments)?;
            self.line = Vec::new();
        }
        Ok(true)
    }

    /// Reads the `*<count>` line. Returns false if it is incomplete.
    fn count(&mut self, input: &mut &[u8], limits: &RequestLimits) -> Result<bool, ProtocolError> {
        let Some(line) = self.header(input, ProtocolError::CountTooLong)? else {
            return Ok(false);
        };
        let count = parse_integer(&line[1..]).ok_or(ProtocolError::InvalidCount)?;
        if count > ARGUMENTS_MAX as i64 {
            return Err(ProtocolError::InvalidCount);
        }
        if count > UNAUTHENTICATED_ARGUMENTS_MAX && !limits.is_authenticated {
            return Err(ProtocolError::UnauthenticatedCount);
        }
        self.remaining = usize::try_from(count).unwrap_or(0);
        // Redis skips an empty request without a reply.
        self.state = if self.remaining == 0 {
            State::Start
        } else {
            State::Length
        };
        Ok(true)
    }

    /// Reads a `$<length>` line and begins the argument. Returns false if the line is incomplete.
    fn length(&mut self, input: &mut &[u8], limits: &RequestLimits) -> Result<bool, ProtocolError> {
        let Some(line) = self.header(input, ProtocolError::LengthTooLong)? else {
            return Ok(false);
        };
        let digits = match &*line {
            [b'$', digits @ ..] => digits,
            [found, ..] => return Err(ProtocolError::ExpectedBulk { found: *found }),
            [] => return Err(ProtocolError::ExpectedBulk { found: b'\r' }),
        };
        let missing = parse_integer(digits)
            .and_then(|length| usize::try_from(length).ok())
            .filter(|&length| length <= BULK_MAX_BYTES)
            .ok_or(ProtocolError::InvalidLength)?;
        if missing > UNAUTHENTICATED_BULK_MAX_BYTES && !limits.is_authenticated {
            return Err(ProtocolError::UnauthenticatedLength);
        }
        self.request_bytes += size_of::<Bytes>() + missing;
        if self.request_bytes > limits.request_bytes {
            return Err(ProtocolError::RequestTooBig);
        }
        if let Some((whole, behind)) = input.split_at_checked(missing)
            && let Some(behind) = behind.get(2..)
        {
            // The common case: the whole argument is here.
            *input = behind;
            self.arguments.push(Bytes::from_slice(whole));
            self.strings_bytes += heap_bytes(missing) as usize;
            self.end_argument();
            return Ok(true);
        }
        let mut argument = Bytes::new();
        argument.reserve_exact(missing.min(RESERVE_MAX_BYTES));
        self.arguments.push(argument);
        self.state = State::Argument { missing };
        Ok(true)
    }

    /// Moves bytes into the incomplete argument.
    fn argument(&mut self, input: &mut &[u8], missing: usize) {
        let taken = missing.min(input.len());
        if let Some(argument) = self.arguments.last_mut() {
            reserve_for(argument, taken, missing);
            argument.extend_from_slice(&input[..taken]);
        }
        *input = &input[taken..];
        if taken < missing {
            let missing = missing - taken;
            self.state = State::Argument { missing };
            return;
        }
        self.state = State::ArgumentEnd { skip: 2 };
        let length = self.arguments.last().map_or(0, |argument| argument.len());
        self.strings_bytes += heap_bytes(length) as usize;
    }

    fn end_argument(&mut self) {
        self.remaining -= 1;
        self.state = if self.remaining == 0 {
            State::Start
        } else {
            State::Length
        };
    }

    /// Takes a line that ends at the first CR, and the byte behind that. Returns `None` if the line is incomplete.
    fn header<'a>(
        &mut self,
        input: &mut &'a [u8],
        too_long: ProtocolError,
    ) -> Result<Option<Cow<'a, [u8]>>, ProtocolError> {
        let end = if self.line.last() == Some(&b'\r') {
            Some(0)
        } else {
            let end = input.iter().position(|&byte| byte == b'\r');
            end.map(|at| at + 1)
        };
        let Some(end) = end.filter(|&end| end < input.len()) else {
            self.keep_line(input, too_long)?;
            return Ok(None);
        };
        if self.line.len() + end > LINE_MAX_BYTES + 1 {
            return Err(too_long);
        }
        let head = &input[..end];
        *input = &input[end + 1..];
        if self.line.is_empty() {
            return Ok(Some(Cow::Borrowed(&head[..end - 1])));
        }
        let mut line = mem::take(&mut self.line);
        line.extend_from_slice(head);
        line.pop();
        Ok(Some(Cow::Owned(line)))
    }

    /// Buffers an incomplete line.
    fn keep_line(
        &mut self,
        input: &mut &[u8],
        too_long: ProtocolError,
    ) -> Result<(), ProtocolError> {
        let length = self.line.len() + input.len();
        // A header's CR may be here already; it is not part of the line.
        let carriage_return =
            self.state != State::Inline && input.last().or(self.line.last()) == Some(&b'\r');
        if length - usize::from(carriage_return) > LINE_MAX_BYTES {
            return Err(too_long);
        }
        self.line.extend_from_slice(input);
        *input = &[];
        Ok(())
    }
}

/// Makes room for `taken` more bytes, of `missing` to come. The room doubles, so that each byte is moved about once,
/// but never exceeds the announced length, because the argument may become a stored value as it is.
fn reserve_for(argument: &mut Bytes, taken: usize, missing: usize) {
    if argument.capacity() - argument.len() < taken {
        argument.reserve_exact(missing.min(taken.max(argument.len())));
    }
}
