//! `BITFIELD`: integers of any width at any bit of a string.

use core::ops::Range;

use crate::ranges::{BAD_BIT_OFFSET, growth_bytes};
use crate::reply::{Failure, Outcome};
use crate::{Context, integer, is};
use keyspace::Bytes;
use resp::{Arguments, BULK_MAX_BYTES, Step, Words, parse_integer};

const BAD_TYPE: Failure = Failure::Fixed(
    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
);
const READS_ONLY: Failure = Failure::Fixed("ERR BITFIELD_RO only supports the GET subcommand");

/// Where an integer is, and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    is_signed: bool,
    bits: u32,
    /// The place of its highest bit, from the string's first bit on.
    offset_bits: usize,
}

/// What happens if a result does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overflow {
    /// Its lowest bits are kept.
    Wrap,
    /// It becomes the largest or the smallest number.
    Saturate,
    /// Nothing is changed.
    Fail,
}

/// What is done with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Get,
    Set(i64),
    Increase(i64),
}

impl Field {
    fn parse(kind: &[u8], offset: &[u8]) -> Result<Self, Failure> {
        let (is_signed, digits) = match kind.split_first() {
            Some((b'i', digits)) => (true, digits),
            Some((b'u', digits)) => (false, digits),
            _ => return Err(BAD_TYPE),
        };
        let bits_max = 63 + i64::from(is_signed);
        let bits = parse_integer(digits).filter(|bits| (1..=bits_max).contains(bits));
        let bits = bits.ok_or(BAD_TYPE)?;
        // Behind a `#` is the number of fields of this width.
        let (digits, unit) = match offset.split_first() {
            Some((b'#', digits)) => (digits, bits),
            _ => (offset, 1),
        };
        let offset = parse_integer(digits).and_then(|number| number.checked_mul(unit));
        let offset = offset.and_then(|offset| usize::try_from(offset).ok());
        let offset = offset.filter(|offset| offset / 8 < BULK_MAX_BYTES);
        Ok(Self {
            is_signed,
            bits: bits as u32,
            offset_bits: offset.ok_or(BAD_BIT_OFFSET)?,
        })
    }

    /// Returns the places of the bytes in which it is.
    fn bytes(&self) -> Range<usize> {
        self.offset_bits / 8..(self.offset_bits + self.bits as usize).div_ceil(8)
    }

    /// Returns its least and its largest number.
    fn limits(&self) -> (i128, i128) {
        match self.is_signed {
            true => (-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1),
            false => (0, (1 << self.bits) - 1),
        }
    }

    /// Returns the number whose lowest bits are those of `number`.
    fn wrapped(&self, number: i128) -> i128 {
        let low = number & ((1 << self.bits) - 1);
        let (_, most) = self.limits();
        if low > most {
            low - (1 << self.bits)
        } else {
            low
        }
    }

    /// Reads it from its bytes.
    fn get(&self, bytes: &[u8]) -> i128 {
        let all = bytes
            .iter()
            .fold(0, |all: i128, byte| all << 8 | i128::from(*byte));
        self.wrapped(all >> self.low_shift(bytes.len()))
    }

    /// Writes it into its bytes.
    fn set(&self, bytes: &mut [u8], number: i128) {
        let shift = self.low_shift(bytes.len());
        let mask = ((1_u128 << self.bits) - 1) << shift;
        let field = number.cast_unsigned() << shift & mask;
        let length = bytes.len();
        for (at, byte) in bytes.iter_mut().enumerate() {
            let part = |word: u128| (word >> (8 * (length - 1 - at))) as u8;
            *byte = *byte & !part(mask) | part(field);
        }
    }

    /// Returns the number of bits behind it in its bytes.
    fn low_shift(&self, length: usize) -> u32 {
        8 * length as u32 - self.offset_bits as u32 % 8 - self.bits
    }

    /// Makes a result fit; `None` if it has to be refused.
    fn fit(&self, number: i128, overflow: Overflow) -> Option<i128> {
        let (least, most) = self.limits();
        match overflow {
            _ if (least..=most).contains(&number) => Some(number),
            Overflow::Wrap => Some(self.wrapped(number)),
            Overflow::Saturate => Some(number.clamp(least, most)),
            Overflow::Fail => None,
        }
    }

    /// Returns the number that an argument is for `SET`: a negative one has its bits where numbers have no sign.
    fn given(&self, number: i64) -> i128 {
        match self.is_signed {
            true => number.into(),
            false => number.cast_unsigned().into(),
        }
    }
}

/// Reads the next action, behind the settings before it; `None` at the end.
fn next_action(
    words: &mut Words<'_>,
    overflow: &mut Overflow,
    steps: &mut impl Step,
) -> Result<Option<(Field, Action)>, Failure> {
    while let Some(name) = words.next(steps) {
        if is(name, "overflow") {
            let how = words.next(steps).ok_or(Failure::SYNTAX)?;
            let known = [
                ("wrap", Overflow::Wrap),
                ("sat", Overflow::Saturate),
                ("fail", Overflow::Fail),
            ];
            let found = known.into_iter().find(|(word, _)| is(how, word));
            (_, *overflow) = found.ok_or(Failure::Fixed("ERR Invalid OVERFLOW type specified"))?;
            continue;
        }
        let operands = match () {
            () if is(name, "get") => 2,
            () if is(name, "set") || is(name, "incrby") => 3,
            () => return Err(Failure::SYNTAX),
        };
        if words.left() < operands {
            return Err(Failure::SYNTAX);
        }
        let (kind, offset) = words.next_pair(steps).ok_or(Failure::SYNTAX)?;
        let field = Field::parse(kind, offset)?;
        let number = match operands {
            2 => None,
            _ => words
                .next(steps)
                .map(|number| integer(number))
                .transpose()?,
        };
        let action = match number {
            None => Action::Get,
            Some(number) if is(name, "set") => Action::Set(number),
            Some(number) => Action::Increase(number),
        };
        return Ok(Some((field, action)));
    }
    Ok(None)
}

pub(crate) fn bitfield(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    run(context, arguments, false)
}

pub(crate) fn bitfield_ro(context: &mut Context<'_, '_>, arguments: &mut Arguments<'_>) -> Outcome {
    run(context, arguments, true)
}

/// Goes through the request twice: nothing is done if any part of it is wrong.
fn run(
    context: &mut Context<'_, '_>,
    arguments: &mut Arguments<'_>,
    is_read_only: bool,
) -> Outcome {
    let (mut overflow, mut replies, mut written_bytes) = (Overflow::Wrap, 0, 0);
    let mut words = arguments.from(2);
    while let Some((field, action)) = next_action(&mut words, &mut overflow, context.out)? {
        replies += 1;
        if action != Action::Get {
            written_bytes = written_bytes.max(field.bytes().end);
        }
    }
    if is_read_only && written_bytes > 0 {
        return Err(READS_ONLY);
    }
    let key = arguments[1].clone();
    let length = context
        .keyspace
        .read::<Bytes>(&key)?
        .map_or(0, |it| it.len());
    if written_bytes > 0 {
        if written_bytes > BULK_MAX_BYTES {
            return Err(Failure::STRING_TOO_LONG);
        }
        context.room_for(growth_bytes(length, written_bytes))?;
        // The string is as long as the last write needs, also for the reads before it.
        let last = written_bytes - 1..written_bytes;
        context.keyspace.edit(key.clone(), last, |_| ())?;
    }
    context.out.array(replies);
    let mut overflow = Overflow::Wrap;
    let mut words = arguments.from(2);
    while let Some((field, action)) = next_action(&mut words, &mut overflow, context.out)? {
        let value = context.keyspace.read::<Bytes>(&key)?;
        let mut bytes = [0; 9];
        let bytes = &mut bytes[..field.bytes().len()];
        for (byte, at) in bytes.iter_mut().zip(field.bytes()) {
            *byte = value.and_then(|value| value.get(at)).copied().unwrap_or(0);
        }
        let old = field.get(bytes);
        let (fitted, is_old_shown) = match action {
            Action::Get => {
                context.out.integer(old as i64);
                continue;
            }
            Action::Set(number) => (field.fit(field.given(number), overflow), true),
            Action::Increase(by) => (field.fit(old + i128::from(by), overflow), false),
        };
        let Some(new) = fitted else {
            context.out.null();
            continue;
        };
        if new != old {
            context
                .keyspace
                .edit(key.clone(), field.bytes(), |string| {
                    field.set(&mut string[field.bytes()], new);
                })?;
        }
        context
            .out
            .integer(if is_old_shown { old } else { new } as i64);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tries every width at every place of a byte: what is written is read, and nothing beside it changes.
    #[test]
    fn what_is_set_is_got_and_its_neighbours_stay() {
        for (is_signed, widths) in [(false, 1..=63), (true, 1..=64)] {
            for (bits, offset_bits) in widths.flat_map(|bits| (0..8).map(move |at| (bits, at))) {
                let field = Field {
                    is_signed,
                    bits,
                    offset_bits,
                };
                let (least, most) = field.limits();
                for number in [least, most, 0, most / 3] {
                    for background in [0, 0xff] {
                        let mut bytes = [background; 9];
                        let bytes = &mut bytes[field.bytes()];
                        field.set(bytes, number);
                        assert_eq!(field.get(bytes), number, "{field:?}");
                        let others = 8 * bytes.len() as u32 - bits;
                        let ones: u32 = bytes.iter().map(|byte| byte.count_ones()).sum();
                        let mask = (1_u128 << bits) - 1;
                        let own = (number.cast_unsigned() & mask).count_ones();
                        assert_eq!(ones - own, if background == 0 { 0 } else { others });
                    }
                }
                assert_eq!(field.fit(most + 1, Overflow::Wrap), Some(least));
                assert_eq!(field.fit(most + 1, Overflow::Saturate), Some(most));
                assert_eq!(field.fit(least - 1, Overflow::Saturate), Some(least));
                assert_eq!(field.fit(least - 1, Overflow::Fail), None);
            }
        }
    }
}
