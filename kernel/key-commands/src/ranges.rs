//! Commands on parts of strings and on their bits.

use crate::reply::{Failure, Outcome};
use crate::{Context, integer, is};
use alloc::vec::Vec;
use core::mem;
use core::ops::Range;
use keyspace::{Bytes, Deadline, Kind};
use resp::{Arguments, BULK_MAX_BYTES, STEP_BYTES, Step, parse_integer};

pub(crate) const BAD_BIT_OFFSET: Failure =
    Failure::Fixed("ERR bit offset is not an integer or out of range");

pub(crate) fn getrange(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let (first, last) = (integer(&arguments[2])?, integer(&arguments[3])?);
    let value = context.keyspace.read::<Bytes>(&arguments[1])?;
    let value = value.map_or(&[][..], Bytes::as_slice);
    let range = cut(first, last, value.len());
    context.out.bulk(&value[range]);
    Ok(())
}

/// Returns the part of something of `length` from `first` to `last`, both included; -1 is the last one.
fn cut(first: i64, last: i64, length: usize) -> Range<usize> {
    let length = length as i64;
    if first < 0 && last < 0 && first > last {
        return 0..0;
    }
    let from_start = |index: i64| match index {
        0.. => index,
        _ => index.saturating_add(length).max(0),
    };
    let (start, end) = (from_start(first), from_start(last).min(length - 1));
    if start > end || length == 0 {
        return 0..0;
    }
    start as usize..end as usize + 1
}

pub(crate) fn setrange(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let offset = integer(&arguments[2])?;
    let offset =
        usize::try_from(offset).map_err(|_| Failure::Fixed("ERR offset is out of range"))?;
    let part = mem::take(&mut arguments[3]);
    let length = context
        .keyspace
        .read::<Bytes>(&arguments[1])?
        .map_or(0, |it| it.len());
    if part.is_empty() {
        context.out.count(length);
        return Ok(());
    }
    let end = offset.saturating_add(part.len());
    if end > BULK_MAX_BYTES {
        return Err(Failure::STRING_TOO_LONG);
    }
    context.room_for(growth_bytes(length, end))?;
    let key = mem::take(&mut arguments[1]);
    let length = context.keyspace.edit(key, offset..end, |string| {
        string[offset..end].copy_from_slice(&part);
        string.len()
    })?;
    context.out.count(length);
    Ok(())
}

/// Returns the memory that a string of `length` bytes takes more when it has to have `end` bytes.
pub(crate) fn growth_bytes(length: usize, end: usize) -> u64 {
    match end > length {
        true => keyspace::NEW_KEY_BYTES + keyspace::heap_bytes(end),
        false => 0,
    }
}

/// Reads the offset of a bit.
fn bit_offset(word: &[u8]) -> Result<usize, Failure> {
    let offset = parse_integer(word).and_then(|offset| usize::try_from(offset).ok());
    offset
        .filter(|&offset| offset / 8 < BULK_MAX_BYTES)
        .ok_or(BAD_BIT_OFFSET)
}

pub(crate) fn setbit(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let offset = bit_offset(&arguments[2])?;
    let bit = match parse_integer(&arguments[3]) {
        Some(bit @ 0..=1) => bit as u8,
        _ => return Err(Failure::Fixed("ERR bit is not an integer or out of range")),
    };
    let length = context
        .keyspace
        .read::<Bytes>(&arguments[1])?
        .map_or(0, |it| it.len());
    let (byte, shift) = (offset / 8, 7 - offset % 8);
    context.room_for(growth_bytes(length, byte + 1))?;
    let key = mem::take(&mut arguments[1]);
    let old = context.keyspace.edit(key, byte..byte + 1, |string| {
        let old = string[byte] >> shift & 1;
        string[byte] = string[byte] & !(1 << shift) | bit << shift;
        old
    })?;
    context.out.integer(old.into());
    Ok(())
}

pub(crate) fn getbit(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let offset = bit_offset(&arguments[2])?;
    let value = context.keyspace.read::<Bytes>(&arguments[1])?;
    let byte = value.and_then(|value| value.get(offset / 8)).unwrap_or(&0);
    context.out.integer((byte >> (7 - offset % 8) & 1).into());
    Ok(())
}

/// Reads a range of bytes or bits, whose words may be missing, of a string of `length` bytes. Returns it in bits.
fn bit_range(words: &[Bytes], length: usize) -> Result<Range<usize>, Failure> {
    let (first, last, unit) = match words {
        [] => return Ok(0..8 * length),
        [first] => (integer(first)?, -1, 8),
        [first, last] => (integer(first)?, integer(last)?, 8),
        [first, last, unit] if is(unit, "byte") => (integer(first)?, integer(last)?, 8),
        [first, last, unit] if is(unit, "bit") => (integer(first)?, integer(last)?, 1),
        _ => return Err(Failure::SYNTAX),
    };
    let range = cut(first, last, length * 8 / unit);
    Ok(range.start * unit..range.end * unit)
}

/// Returns the bytes that have bits in the range, with their places.
fn bytes_of<'a>(
    string: &'a [u8],
    range: &Range<usize>,
) -> impl Iterator<Item = (usize, &'a u8)> + use<'a> {
    let (start, end) = (range.start / 8, range.end.div_ceil(8));
    string.iter().enumerate().take(end).skip(start)
}

/// Returns those bits of a byte that are in the range. It is the byte `at` of its string.
fn masked(byte: u8, at: usize, range: &Range<usize>) -> u8 {
    let from = range.start.saturating_sub(8 * at).min(8) as u32;
    let to = (8 * at + 8).saturating_sub(range.end).min(8) as u32;
    byte & 0xff_u8.checked_shr(from).unwrap_or(0) & 0xff_u8.checked_shl(to).unwrap_or(0)
}

pub(crate) fn bitcount(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let words = arguments.few()[2..].to_vec();
    if words.len() == 1 || words.len() > 3 {
        return Err(Failure::SYNTAX);
    }
    let value = context.keyspace.read::<Bytes>(&arguments[1])?;
    let string = value.map_or(&[][..], Bytes::as_slice);
    let range = bit_range(&words, string.len())?;
    let mut count = 0;
    for (at, &byte) in bytes_of(string, &range) {
        if at.is_multiple_of(STEP_BYTES) {
            context.out.step();
        }
        count += masked(byte, at, &range).count_ones() as usize;
    }
    context.out.count(count);
    Ok(())
}

pub(crate) fn bitpos(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let bit = match integer(&arguments[2])? {
        bit @ 0..=1 => bit == 1,
        _ => return Err(Failure::Fixed("ERR The bit argument must be 1 or 0.")),
    };
    let words = arguments.few()[3..].to_vec();
    if words.len() > 3 {
        return Err(Failure::SYNTAX);
    }
    let Some(string) = context.keyspace.read::<Bytes>(&arguments[1])? else {
        bit_range(&words, 0)?;
        context.out.integer(if bit { -1 } else { 0 });
        return Ok(());
    };
    let range = bit_range(&words, string.len())?;
    for (at, &byte) in bytes_of(string, &range) {
        if at.is_multiple_of(STEP_BYTES) {
            context.out.step();
        }
        let byte = if bit { byte } else { !byte };
        let found = masked(byte, at, &range);
        if found != 0 {
            context.out.count(8 * at + found.leading_zeros() as usize);
            return Ok(());
        }
    }
    // Behind the end of the string there are zeros, unless the client says where to end.
    let is_open = !bit && words.len() < 2 && !range.is_empty();
    context
        .out
        .integer(if is_open { 8 * string.len() as i64 } else { -1 });
    Ok(())
}

pub(crate) fn bitop(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    let combine: fn(u8, u8) -> u8 = match &arguments[1] {
        name if is(name, "and") => |one, other| one & other,
        name if is(name, "or") => |one, other| one | other,
        name if is(name, "xor") => |one, other| one ^ other,
        name if is(name, "not") => |one, _| !one,
        _ => return Err(Failure::SYNTAX),
    };
    if is(&arguments[1], "not") && arguments.len() != 4 {
        return Err(Failure::Fixed(
            "ERR BITOP NOT must be called with a single source key.",
        ));
    }
    let (keyspace, out) = (&*context.keyspace, &mut *context.out);
    let (mut length, mut keys) = (0, arguments.from(3));
    while let Some(key) = keys.next(out) {
        let string = keyspace.peek::<Bytes>(key)?;
        length = length.max(string.map_or(0, |it| it.len()));
    }
    context.room_for(growth_bytes(0, length))?;
    let (keyspace, out) = (&*context.keyspace, &mut *context.out);
    let mut result: Option<Vec<u8>> = None;
    let mut keys = arguments.from(3);
    while let Some(key) = keys.next(out) {
        let string = keyspace
            .peek::<Bytes>(key)?
            .map_or(&[][..], Bytes::as_slice);
        (0..length / STEP_BYTES).for_each(|_| out.step());
        match &mut result {
            None => {
                let mut bytes = string.to_vec();
                bytes.resize(length, 0);
                result = Some(bytes);
            }
            Some(result) => {
                let others = string.iter().copied().chain(core::iter::repeat(0));
                for (byte, other) in result.iter_mut().zip(others) {
                    *byte = combine(*byte, other);
                }
            }
        }
    }
    let mut result = result.unwrap_or_default();
    if is(&arguments[1], "not") {
        result.iter_mut().for_each(|byte| *byte = combine(*byte, 0));
    }
    let key = mem::take(&mut arguments[2]);
    if result.is_empty() {
        context.keyspace.remove(&key);
    } else {
        let place = context.keyspace.locate(&key);
        let value = Bytes::from_slice(&result).into_value();
        context.keyspace.put(&place, key, value, Deadline::Clear);
    }
    context.out.count(length);
    Ok(())
}
