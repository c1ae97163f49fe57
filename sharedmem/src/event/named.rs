//! Values that are one of a list of names.

use core::fmt;

use super::{DamageKind, Form, RawValue, Value};
use crate::Instance;
use crate::cause::{BackupLoss, Cause, StateFault};
use crate::epitaph::EpitaphCause;
use crate::mailbox::Answer;
use crate::numbered::Entry;
use crate::slice::{DeathCause, SliceEntry};

/// Implements [`Value`] for a list of the contract: a value is written by its name.
macro_rules! named {
    ($($type:ty),+ $(,)?) => {$(
        impl Value for $type {
            const FORM: Form = Form::OneOf(Self::LIST);
            const BYTES_MAX: usize = longest(Self::LIST.entries);

            fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }

            fn read(raw: RawValue<'_>) -> Option<Self> {
                let name = raw.bare()?;
                Self::ALL.into_iter().find(|value| value.name() == name)
            }
        }

        #[cfg(test)]
        impl proptest::arbitrary::Arbitrary for $type {
            type Parameters = ();
            type Strategy = proptest::sample::Select<Self>;

            fn arbitrary_with((): ()) -> Self::Strategy {
                proptest::sample::select(Self::ALL.to_vec())
            }
        }
    )+};
}

named!(
    Answer,
    BackupLoss,
    Cause,
    DamageKind,
    DeathCause,
    EpitaphCause,
    Instance,
    SliceEntry,
    StateFault
);

/// Returns the length of the longest name, in bytes.
const fn longest(entries: &[Entry]) -> usize {
    let (mut index, mut bytes) = (0, 0);
    while index < entries.len() {
        let name = entries[index].name;
        bytes = if name.len() > bytes {
            name.len()
        } else {
            bytes
        };
        index += 1;
    }
    bytes
}
