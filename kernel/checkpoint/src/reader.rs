//! Reading: from records to items, and from parts to strings.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use serde::Deserialize;

use crate::{Item, Malformed, Sequence};

/// The items of a record's payload.
#[derive(Clone, Debug)]
pub struct Items<'a>(&'a [u8]);

impl<'a> Items<'a> {
    /// Takes a record apart. Returns the section of its items, and the items.
    ///
    /// # Errors
    /// It is not the next record of its checkpoint.
    pub fn of(payload: &'a [u8], sequence: &mut Sequence) -> Result<(u8, Self), Malformed> {
        let (section, items) = sequence.take(payload)?;
        Ok((section, Self(items)))
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<Item<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let taken = postcard::take_from_bytes(self.0);
        Some(match taken {
            Ok((item, rest)) => {
                self.0 = rest;
                Ok(item)
            }
            Err(_) => {
                self.0 = &[];
                Err(Malformed("bytes that are no item"))
            }
        })
    }
}

/// Reads a head.
///
/// # Errors
/// It is not a `T`.
pub fn decode<'a, T: Deserialize<'a>>(head: &'a [u8]) -> Result<T, Malformed> {
    match postcard::take_from_bytes(head) {
        Ok((value, [])) => Ok(value),
        _ => Err(Malformed("a head that is not known here")),
    }
}

/// Joins the parts of strings.
#[derive(Debug, Default)]
pub struct Joiner {
    begun: Vec<u8>,
}

impl Joiner {
    /// Takes a part. Returns the string if this was its last part.
    pub fn join<'a>(&mut self, bytes: &'a [u8], is_last: bool) -> Option<Cow<'a, [u8]>> {
        if is_last && self.begun.is_empty() {
            return Some(Cow::Borrowed(bytes));
        }
        self.begun.extend_from_slice(bytes);
        is_last.then(|| {
            let mut string = core::mem::take(&mut self.begun);
            string.shrink_to_fit();
            Cow::Owned(string)
        })
    }

    /// Returns whether a string has begun and not ended.
    pub fn is_amid(&self) -> bool {
        !self.begun.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Writer;
    use proptest::prelude::*;
    use serde::Serialize;

    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    enum Head {
        Key { deadline: Option<u64> },
        End,
    }

    #[derive(Clone, Debug, PartialEq, Eq)]
    enum Written {
        Head(Head),
        String(Vec<u8>),
    }

    fn written() -> impl Strategy<Value = Written> {
        prop_oneof![
            prop::option::of(any::<u64>())
                .prop_map(|deadline| Written::Head(Head::Key { deadline })),
            Just(Written::Head(Head::End)),
            (0..40_000_usize, any::<u8>()).prop_map(|(length, byte)| Written::String(
                (0..length).map(|at| byte ^ at as u8).collect()
            )),
            prop::collection::vec(any::<u8>(), 0..8).prop_map(Written::String),
        ]
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(all in prop::collection::vec(written(), 0..40)) {
            let mut records: Vec<Vec<u8>> = Vec::new();
            let mut sink = |payload: &[u8]| records.push(payload.to_vec());
            let mut written_sequence = Sequence::default();
            let mut writer = Writer::new(7, &mut written_sequence, &mut sink);
            for written in &all {
                match written {
                    Written::Head(head) => writer.head(head),
                    Written::String(string) => writer.string(string),
                }
            }
            drop(writer);
            let (mut read, mut joiner, mut sequence) = (Vec::new(), Joiner::default(), Sequence::default());
            for record in &records {
                prop_assert!(record.len() < 32 << 10);
                let (section, items) = Items::of(record, &mut sequence).unwrap();
                prop_assert_eq!(section, 7);
                for item in items {
                    match item.unwrap() {
                        Item::Head(head) => read.push(Written::Head(decode(head).unwrap())),
                        Item::Part { bytes, is_last } => {
                            read.extend(joiner.join(bytes, is_last).map(|string| Written::String(string.into_owned())));
                        }
                    }
                }
            }
            prop_assert!(!joiner.is_amid());
            prop_assert_eq!(read, all);
            prop_assert_eq!(sequence.count() as usize, records.len());
            // No record can be left out, and none can come twice.
            for (number, record) in records.iter().enumerate() {
                for other in [0, number + 1, records.len()] {
                    let mut sequence = Sequence::default();
                    let mut read = |record: &Vec<u8>| Items::of(record, &mut sequence).map(|_| ());
                    let before = records.iter().take(other).try_for_each(&mut read);
                    prop_assert!(before.is_ok());
                    prop_assert_eq!(Items::of(record, &mut sequence).is_ok(), other == number);
                }
            }
        }

        #[test]
        fn anything_else_is_refused_without_a_fault(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok((_, items)) = Items::of(&bytes, &mut Sequence::default()) {
                for item in items.flatten() {
                    if let Item::Head(head) = item {
                        let _ = decode::<Head>(head);
                    }
                }
            }
        }
    }
}
