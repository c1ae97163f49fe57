//! Commands that go through the keyspace.

use super::{Context, integer, is};
use crate::glob::{Case, matches};
use crate::reply::{Failure, Outcome};
use crate::store::{Bytes, Slot};
use alloc::vec::Vec;

/// Number of keys that `SCAN` looks at if the client gives no `COUNT`.
const DEFAULT_COUNT: usize = 10;

pub(super) fn keys(context: &mut Context<'_, '_>, arguments: &mut [Bytes]) -> Outcome {
    let pattern = &arguments[1];
    let (keyspace, out) = (&*context.keyspace, &mut *context.out);
    // Go through the keys twice: the reply begins with their number, and remembering a million of them would take
    // memory.
    let mut found = 0;
    for (key, entry) in keyspace.table().iter() {
        out.step();
        let is_found = !keyspace.is_expired(entry) && fits(pattern, key, || out.step());
        found += usize::from(is_found);
    }
    out.array(found);
    for (key, entry) in keyspace.table().iter() {
        out.step();
        if !keyspace.is_expired(entry) && fits(pattern, key, || out.step()) {
            out.bulk(key);
        }
    }
    Ok(())
}

/// Returns whether a key matches. A single star also matches the empty key, which it does not in the pattern language.
fn fits(pattern: &[u8], key: &[u8], step: impl FnMut()) -> bool {
    pattern == b"*" || matches(pattern, key, Case::Sensitive, step)
}

struct ScanOptions<'a> {
    count: usize,
    pattern: &'a [u8],
    type_name: Option<&'a [u8]>,
}

pub(super) fn scan(context: &mut Context<'_, '_>, arguments: &mut [Bytes]) -> Outcome {
    let cursor = Cursor::parse(&arguments[1]).ok_or(Failure::Fixed("ERR invalid cursor"))?;
    let options = scan_options(&arguments[2..])?;
    let (keyspace, out) = (&*context.keyspace, &mut *context.out);
    let mut found: Vec<&Bytes> = Vec::new();
    let table = keyspace.table();
    let mut walk = Walk {
        cursor,
        shard_count: table.shard_count(),
    };
    for _ in 0..options.count {
        let Some((key, entry)) = walk
            .next(|shard| table.shard_len(shard))
            .and_then(|slot| table.entry(slot))
        else {
            break;
        };
        out.step();
        let wanted = options
            .type_name
            .is_none_or(|name| is(name, entry.value.type_name()));
        if wanted && !keyspace.is_expired(entry) && fits(options.pattern, key, || out.step()) {
            found.push(key);
        }
    }
    let next = walk.settle(|shard| table.shard_len(shard));
    out.array(2);
    out.text(itoa::Buffer::new().format(next.0));
    out.array(found.len());
    for key in found {
        out.step();
        out.bulk(key);
    }
    Ok(())
}

fn scan_options(arguments: &[Bytes]) -> Result<ScanOptions<'_>, Failure> {
    let mut options = ScanOptions {
        count: DEFAULT_COUNT,
        pattern: b"*",
        type_name: None,
    };
    let mut rest = arguments.iter();
    while let Some(option) = rest.next() {
        let value = rest.next().ok_or(Failure::SYNTAX)?;
        if is(option, "count") {
            let count = integer(value)?;
            options.count = usize::try_from(count)
                .ok()
                .filter(|&count| count > 0)
                .ok_or(Failure::SYNTAX)?;
        } else if is(option, "match") {
            options.pattern = value;
        } else if is(option, "type") {
            options.type_name = Some(value);
        } else {
            return Err(Failure::SYNTAX);
        }
    }
    Ok(options)
}

/// Where a scan goes on: the shard in the upper half, and in the lower half how many of its entries are still to be
/// visited, from the last to the first. Zero is both the start and the end.
///
/// No key is missed that is there all the time: new entries come behind those still to be visited, and a removal
/// moves the shard's last entry to a lower index. So an entry that was not visited stays among those still to be
/// visited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Cursor(u64);

/// Stands for all entries of a shard, however many there will be.
const WHOLE_SHARD: u64 = u32::MAX as u64;

impl Cursor {
    const START: Self = Self(0);

    /// Parses a cursor. Of what `strtoul` reads, only digits are accepted.
    fn parse(text: &[u8]) -> Option<Self> {
        core::str::from_utf8(text).ok()?.parse().ok().map(Self)
    }
}

struct Walk {
    cursor: Cursor,
    shard_count: usize,
}

impl Walk {
    /// Returns the next entry to visit, or `None` at the end.
    fn next(&mut self, shard_len: impl Fn(usize) -> usize) -> Option<Slot> {
        let (shard, left) = self.position(shard_len)?;
        let index = left - 1;
        self.cursor = Cursor(if index == 0 {
            Self::start_of(shard + 1)
        } else {
            (shard as u64) << 32 | index as u64
        });
        Some(Slot { shard, index })
    }

    /// Returns the cursor for the client: that of the next entry, or 0 if there is none.
    fn settle(self, shard_len: impl Fn(usize) -> usize) -> Cursor {
        match self.position(shard_len) {
            None => Cursor::START,
            Some((shard, left)) => Cursor((shard as u64) << 32 | left as u64),
        }
    }

    /// Returns the shard to go on in, and how many of its entries are still to be visited, which is at least one.
    fn position(&self, shard_len: impl Fn(usize) -> usize) -> Option<(usize, usize)> {
        let cursor = if self.cursor == Cursor::START {
            Self::start_of(0)
        } else {
            self.cursor.0
        };
        let mut shard = (cursor >> 32) as usize;
        let mut left = (cursor & WHOLE_SHARD) as usize;
        while shard < self.shard_count {
            left = left.min(shard_len(shard));
            if left > 0 {
                return Some((shard, left));
            }
            shard += 1;
            left = WHOLE_SHARD as usize;
        }
        None
    }

    fn start_of(shard: usize) -> u64 {
        (shard as u64) << 32 | WHOLE_SHARD
    }
}
