//! Commands that go through the keyspace.

use crate::reply::{Failure, Outcome, Output};
use crate::{Context, decimal, integer, is, too_long};
use keyspace::{Bytes, Hash, Keyspace, Set, Slot, SortedSet};
use resp::{Arguments, Case, Pattern, Step, Words};
use values::{Table, read_score};

/// Number of keys that `SCAN` looks at if the client gives no `COUNT`.
const DEFAULT_COUNT: usize = 10;

pub(crate) fn keys(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let (keyspace, out) = (&*context.keyspace, &mut *context.out);
    let wanted = Wanted::new(&arguments[1], out)?;
    // Go through the keys twice: the reply begins with their number, and remembering a million of them would take
    // memory.
    let mut found = 0;
    for (key, entry) in keyspace.table().iter() {
        out.step();
        let is_found = !keyspace.is_expired(entry) && wanted.has(key, out);
        found += usize::from(is_found);
    }
    out.array(found);
    for (key, entry) in keyspace.table().iter() {
        out.step();
        if !keyspace.is_expired(entry) && wanted.has(key, out) {
            out.bulk(key);
        }
    }
    Ok(())
}

/// The keys that a client wants.
enum Wanted {
    /// All, the empty key included, which a star does not match in the pattern language.
    All,
    Matching(Pattern),
}

impl Wanted {
    fn new(pattern: &[u8], out: &mut Output<'_>) -> Result<Self, Failure> {
        match pattern {
            b"*" => Ok(Self::All),
            _ => Pattern::new(pattern, Case::Sensitive, out)
                .map(Self::Matching)
                .map_err(too_long),
        }
    }

    fn has(&self, key: &[u8], out: &mut Output<'_>) -> bool {
        match self {
            Self::All => true,
            Self::Matching(pattern) => pattern.matches(key, out),
        }
    }
}

struct ScanOptions<'a> {
    count: usize,
    wanted: Wanted,
    type_name: Option<&'a [u8]>,
}

impl ScanOptions<'_> {
    /// Takes the steps of one `SCAN`. Calls `visit` for each key that the client wants.
    fn walk(
        &self,
        keyspace: &Keyspace,
        walk: &mut Walk,
        out: &mut Output<'_>,
        mut visit: impl FnMut(&Bytes, &mut Output<'_>),
    ) {
        let table = keyspace.table();
        for _ in 0..self.count {
            let slot = walk.next(|shard| table.shard_len(shard));
            let Some((key, entry)) = slot.and_then(|slot| table.entry(slot)) else {
                return;
            };
            out.step();
            let is_of_type = (self.type_name).is_none_or(|name| is(name, entry.value.type_name()));
            if is_of_type && !keyspace.is_expired(entry) && self.wanted.has(key, out) {
                visit(key, out);
            }
        }
    }
}

pub(crate) fn scan(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let cursor = Cursor::parse(&arguments[1]).ok_or(Failure::Fixed("ERR invalid cursor"))?;
    let (keyspace, out) = (&*context.keyspace, &mut *context.out);
    let options = scan_options(arguments.from(2), out)?;
    let table = keyspace.table();
    let begin = || Walk {
        cursor,
        shard_count: table.shard_count(),
    };
    // Go through the keys twice, as `KEYS` does: a client that gives a large COUNT takes no memory.
    let (mut walk, mut found) = (begin(), 0);
    options.walk(keyspace, &mut walk, out, |_, _| found += 1);
    out.array(2);
    let next = walk.settle(|shard| table.shard_len(shard));
    out.text(itoa::Buffer::new().format(next.0));
    out.array(found);
    options.walk(keyspace, &mut begin(), out, |key, out| out.bulk(key));
    Ok(())
}

pub(crate) fn sscan(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let cursor = elements_cursor(arguments)?;
    let (keyspace, out) = (&*context.keyspace, &mut *context.out);
    let mut words = arguments.from(1);
    let key = words.next(out).ok_or(Failure::SYNTAX)?;
    words.next(out);
    let options = scan_options(words, out)?;
    let set = keyspace.peek::<Set>(key)?;
    scan_elements(
        cursor,
        &options,
        set.map(Set::table),
        1,
        out,
        |member, (), out| out.bulk(member),
    );
    Ok(())
}

pub(crate) fn hscan(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let cursor = elements_cursor(arguments)?;
    let (keyspace, out) = (&*context.keyspace, &mut *context.out);
    let mut words = arguments.from(1);
    let key = words.next(out).ok_or(Failure::SYNTAX)?;
    words.next(out);
    let options = scan_options(words, out)?;
    let hash = keyspace.peek::<Hash>(key)?;
    scan_elements(
        cursor,
        &options,
        hash.map(Hash::table),
        2,
        out,
        |field, value, out| {
            out.bulk(field);
            out.bulk(value);
        },
    );
    Ok(())
}

pub(crate) fn zscan(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let cursor = elements_cursor(arguments)?;
    let (keyspace, out) = (&*context.keyspace, &mut *context.out);
    let mut words = arguments.from(1);
    let key = words.next(out).ok_or(Failure::SYNTAX)?;
    words.next(out);
    let options = scan_options(words, out)?;
    let set = keyspace.peek::<SortedSet>(key)?;
    scan_elements(
        cursor,
        &options,
        set.map(SortedSet::table),
        2,
        out,
        |member, score, out| {
            out.bulk(member);
            out.text(&decimal::format(read_score(score)));
        },
    );
    Ok(())
}

fn elements_cursor(arguments: &Arguments<'_>) -> Result<Cursor, Failure> {
    Cursor::parse(&arguments[2]).ok_or(Failure::Fixed("ERR invalid cursor"))
}

/// Takes the steps of one `HSCAN` or `SSCAN`. `write` writes the `strings` strings of an element.
fn scan_elements<V>(
    cursor: Cursor,
    options: &ScanOptions<'_>,
    table: Option<&Table<V>>,
    strings: usize,
    out: &mut Output<'_>,
    write: impl Fn(&Bytes, &V, &mut Output<'_>),
) {
    out.array(2);
    let Some(table) = table else {
        out.text("0");
        out.array(0);
        return;
    };
    let begin = || Walk {
        cursor,
        shard_count: table.shard_count(),
    };
    let each = |walk: &mut Walk,
                out: &mut Output<'_>,
                visit: &mut dyn FnMut(&Bytes, &V, &mut Output<'_>)| {
        for _ in 0..options.count {
            let slot = walk.next(|shard| table.shard_len(shard));
            let Some((name, value)) = slot.and_then(|slot| table.entry(slot)) else {
                return;
            };
            out.step();
            if options.wanted.has(name, out) {
                visit(name, value, out);
            }
        }
    };
    // Twice, as `SCAN`.
    let (mut walk, mut found) = (begin(), 0);
    each(&mut walk, out, &mut |_, _, _| found += strings);
    let next = walk.settle(|shard| table.shard_len(shard));
    out.text(itoa::Buffer::new().format(next.0));
    out.array(found);
    each(&mut begin(), out, &mut |name, value, out| {
        write(name, value, out)
    });
}

fn scan_options<'a>(
    mut words: Words<'a>,
    out: &mut Output<'_>,
) -> Result<ScanOptions<'a>, Failure> {
    let mut pattern: &[u8] = b"*";
    let mut options = ScanOptions {
        count: DEFAULT_COUNT,
        wanted: Wanted::All,
        type_name: None,
    };
    while let Some(option) = words.next(out) {
        let value = words.next(out).ok_or(Failure::SYNTAX)?;
        if is(option, "count") {
            let count = integer(value)?;
            options.count = usize::try_from(count)
                .ok()
                .filter(|&count| count > 0)
                .ok_or(Failure::SYNTAX)?;
        } else if is(option, "match") {
            pattern = value;
        } else if is(option, "type") {
            options.type_name = Some(value);
        } else {
            return Err(Failure::SYNTAX);
        }
    }
    options.wanted = Wanted::new(pattern, out)?;
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

    /// Parses a cursor as `strtoul` does: nothing is 0, and a negative number counts from the end of the range.
    fn parse(text: &[u8]) -> Option<Self> {
        let (is_negative, digits) = match text {
            [] => return Some(Self::START),
            [b'-', digits @ ..] => (true, digits),
            [b'+', digits @ ..] | digits => (false, digits),
        };
        let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        let number: u64 = core::str::from_utf8(digits)
            .ok()?
            .parse()
            .ok()
            .filter(|_| is_number)?;
        Some(Self(if is_negative {
            number.wrapping_neg()
        } else {
            number
        }))
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
