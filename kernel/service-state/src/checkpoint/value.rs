//! Values of keys, restored element by element.

use alloc::borrow::Cow;
use core::mem;
use core::num::NonZeroU64;

use checkpoint::Malformed;
use resp::BULK_MAX_BYTES;

use super::Form;
use crate::store::{
    Bytes, COUNT_MAX, Deadline, End, Hash, Keyspace, Kind, List, Set, SortedSet, Value,
};

/// What a checkpoint says of a value before its key and its elements come.
pub(super) struct ValueHead {
    form: Form,
    deadline_ms: Option<NonZeroU64>,
    elements: u64,
}

impl ValueHead {
    /// Makes a head.
    ///
    /// # Errors
    /// No value is like that.
    pub(super) fn checked(
        form: Form,
        deadline_ms: Option<NonZeroU64>,
        elements: u64,
    ) -> Result<Self, Malformed> {
        if deadline_ms.is_some_and(|deadline_ms| deadline_ms.get() > COUNT_MAX) {
            return Err(Malformed("a deadline that is too late"));
        }
        // There are no empty collections: one that loses its last element is removed.
        let is_possible = match form {
            Form::String => elements == 1,
            Form::Hash { .. } | Form::SortedSet { .. } => {
                elements > 0 && elements.is_multiple_of(2)
            }
            Form::List | Form::Set { .. } => elements > 0,
        };
        match is_possible {
            true => Ok(Self {
                form,
                deadline_ms,
                elements,
            }),
            false => Err(Malformed("a value with an impossible number of elements")),
        }
    }

    /// Begins the value of `key`.
    pub(super) fn begin(self, key: Bytes, keyspace: &Keyspace) -> PartialValue {
        let seed = keyspace.seed();
        let value = match self.form {
            Form::String => Value::String(Bytes::new()),
            Form::List => List::default().into_value(),
            Form::Hash { is_spread } => Hash::restored(seed, is_spread).into_value(),
            Form::SortedSet { is_spread } => SortedSet::restored(seed, is_spread).into_value(),
            Form::Set { is_spread } => Set::restored(seed, is_spread).into_value(),
        };
        PartialValue {
            database: keyspace.selected(),
            key,
            deadline_ms: self.deadline_ms,
            value,
            field: None,
            missing: self.elements,
        }
    }
}

/// A value whose last elements are missing.
pub(super) struct PartialValue {
    database: usize,
    key: Bytes,
    deadline_ms: Option<NonZeroU64>,
    value: Value,
    /// The field of a hash whose value comes next, or the member of a sorted set.
    field: Option<Bytes>,
    missing: u64,
}

impl PartialValue {
    /// Returns whether no element is missing.
    pub(super) fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// Adds the next element.
    ///
    /// # Errors
    /// The element cannot be in this value.
    pub(super) fn push(&mut self, element: Bytes) -> Result<(), Malformed> {
        self.missing -= 1;
        match &mut self.value {
            Value::String(string) => *string = element,
            Value::List(list) => list.push(End::Back, element),
            Value::Hash(hash) => match self.field.take() {
                None => self.field = Some(element),
                Some(field) => {
                    if !hash.set(field, element) {
                        return Err(Malformed("a field comes twice"));
                    }
                }
            },
            Value::SortedSet(set) => match self.field.take() {
                None => self.field = Some(element),
                Some(member) => {
                    if !set.restore(member, &element) {
                        return Err(Malformed("a member comes twice, or its score is none"));
                    }
                }
            },
            Value::Set(set) => {
                if !set.add(element) {
                    return Err(Malformed("a member comes twice"));
                }
            }
        }
        Ok(())
    }

    /// Stores the value, which is complete.
    pub(super) fn store(self, keyspace: &mut Keyspace, step: &mut dyn FnMut()) {
        let selected = keyspace.selected();
        keyspace.select(self.database);
        let place = keyspace.locate(&self.key);
        let deadline = self.deadline_ms.map_or(Deadline::Clear, Deadline::At);
        keyspace.put(&place, self.key, self.value, deadline);
        keyspace.collect_garbage(step);
        keyspace.select(selected);
    }
}

/// A large value, of which some pieces are there.
pub(super) struct OpenValue {
    value: PartialValue,
    /// The string that goes on in the next piece.
    open: Option<Bytes>,
}

impl OpenValue {
    pub(super) fn new(value: PartialValue) -> Self {
        Self { value, open: None }
    }

    /// Stores the value if it is complete; if not, returns it.
    pub(super) fn stored(self, keyspace: &mut Keyspace, step: &mut dyn FnMut()) -> Option<Self> {
        if !self.value.is_complete() {
            return Some(self);
        }
        self.value.store(keyspace, step);
        None
    }
}

/// What is missing of a piece.
pub(super) struct Piece {
    strings: u64,
    continues: bool,
    open_bytes: Option<usize>,
}

impl Piece {
    /// Makes a piece.
    ///
    /// # Errors
    /// No piece is like that.
    pub(super) fn checked(
        strings: u64,
        continues: bool,
        open_bytes: Option<u64>,
    ) -> Result<Self, Malformed> {
        let open_bytes = match open_bytes.map(usize::try_from) {
            None => None,
            Some(Ok(bytes)) if bytes <= BULK_MAX_BYTES => Some(bytes),
            Some(_) => return Err(Malformed("a string that is too long")),
        };
        match strings {
            0 => Err(Malformed("an empty piece of a value")),
            _ => Ok(Self {
                strings,
                continues,
                open_bytes,
            }),
        }
    }

    /// Takes the next string of the piece. Returns whether it was the last one.
    ///
    /// # Errors
    /// The string cannot be in this value.
    pub(super) fn take(
        &mut self,
        open: &mut OpenValue,
        part: Cow<'_, [u8]>,
    ) -> Result<bool, Malformed> {
        self.strings -= 1;
        let is_last = self.strings == 0;
        let goes_on = self.open_bytes.filter(|_| is_last);
        let string = match (mem::take(&mut self.continues), open.open.take()) {
            (true, Some(mut string)) => {
                string.extend_from_slice(&part);
                string
            }
            (false, None) => {
                let mut string = Bytes::new();
                string.reserve_exact(goes_on.unwrap_or(part.len()));
                string.extend_from_slice(&part);
                string
            }
            _ => {
                return Err(Malformed(
                    "a string that goes on without a beginning, or the reverse",
                ));
            }
        };
        if string.len() > BULK_MAX_BYTES {
            return Err(Malformed("a string that is too long"));
        }
        match goes_on {
            Some(_) => open.open = Some(string),
            None if open.value.is_complete() => {
                return Err(Malformed("too many strings in a value"));
            }
            None => open.value.push(string)?,
        }
        Ok(is_last)
    }
}
