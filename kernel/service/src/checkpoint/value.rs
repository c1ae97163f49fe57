//! Values of keys, restored element by element.

use core::num::NonZeroU64;

use checkpoint::Malformed;

use super::Form;
use crate::store::{Bytes, COUNT_MAX, Deadline, End, Hash, Keyspace, Kind, List, Seed, Set, Value};

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
            Form::Hash { .. } => elements > 0 && elements.is_multiple_of(2),
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
    pub(super) fn begin(self, key: Bytes, seed: Seed) -> PartialValue {
        let value = match self.form {
            Form::String => Value::String(Bytes::new()),
            Form::List => List::default().into_value(),
            Form::Hash { is_spread } => Hash::restored(seed, is_spread).into_value(),
            Form::Set { is_spread } => Set::restored(seed, is_spread).into_value(),
        };
        PartialValue {
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
    key: Bytes,
    deadline_ms: Option<NonZeroU64>,
    value: Value,
    /// The field of a hash whose value comes next.
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
        let place = keyspace.locate(&self.key);
        let deadline = self.deadline_ms.map_or(Deadline::Clear, Deadline::At);
        keyspace.put(&place, self.key, self.value, deadline);
        keyspace.collect_garbage(step);
    }
}
