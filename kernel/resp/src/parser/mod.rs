//! Parses requests from a byte stream: RESP2 arrays of bulk strings, and inline commands.
//!
//! The parser never looks at a byte twice: complete arguments are values already, an incomplete one grows in place,
//! and only an incomplete *line* (at most 64 KiB) is buffered. The result does not depend on how the stream is cut
//! into records.

mod inline;
#[cfg(test)]
mod tests;

use crate::number::parse_integer;
use crate::{Arguments, Bytes, Step, heap_bytes};
use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::mem;
use serde::{Deserialize, Serialize};

/// Longest line, in bytes: an inline command, a count or a length (Redis' `PROTO_INLINE_MAX_SIZE`).
pub const LINE_MAX_BYTES: usize = 64 * 1024;
/// Longest argument and longest string value, in bytes (Redis' `proto-max-bulk-len`).
pub const BULK_MAX_BYTES: usize = 16 * 1024 * 1024;
/// Most arguments of one request.
pub const ARGUMENTS_MAX: usize = 1024 * 1024;

/// Memory reserved for an announced argument before its bytes are there. Announcing costs a client nothing, so this
/// is small.
const RESERVE_MAX_BYTES: usize = 64 * 1024;
/// Argument slots kept between requests.
const KEPT_ARGUMENTS: usize = 64;

/// Most arguments of a client that has not given the password, as in Redis.
const UNAUTHENTICATED_ARGUMENTS_MAX: i64 = 10;
/// Longest argument of a client that has not given the password, in bytes, as in Redis.
const UNAUTHENTICATED_BULK_MAX_BYTES: usize = 16 * 1024;

/// What a request may take.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// Memory of all arguments together, in bytes.
    pub request_bytes: usize,
    /// Whether the client has given the password, or needs none.
    pub is_authenticated: bool,
}

/// What the parser found.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// A request is in [`arguments`](Parser::arguments); call [`Parser::finish`] when it is done.
    Request,
    /// All bytes are used up.
    NeedMore,
}

/// Why the stream is not the protocol. The connection must end.
#[derive(Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// An inline command is longer than [`LINE_MAX_BYTES`].
    InlineTooLong,
    /// A number of arguments is longer than [`LINE_MAX_BYTES`].
    CountTooLong,
    /// A length is longer than [`LINE_MAX_BYTES`].
    LengthTooLong,
    /// A quote in an inline command is not closed.
    UnbalancedQuotes,
    /// The number of arguments is none, or more than [`ARGUMENTS_MAX`].
    InvalidCount,
    /// The length of an argument is none, or more than [`BULK_MAX_BYTES`].
    InvalidLength,
    /// More than 10 arguments, from a client that has not given the password.
    UnauthenticatedCount,
    /// An argument of more than 16 KiB, from a client that has not given the password.
    UnauthenticatedLength,
    /// Something else than a length follows.
    ExpectedBulk {
        /// Its first byte.
        found: u8,
    },
    /// The arguments would take more memory than allowed.
    RequestTooBig,
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

/// The state of a parser without its strings: those are the incomplete line, and the arguments so far.
#[derive(Debug, Serialize, Deserialize)]
pub struct ParserProgress {
    state: State,
    remaining: usize,
    request_bytes: usize,
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
