//! The numbers of records.

use crate::Malformed;

/// Counts the records of one checkpoint. Writer and reader have one each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sequence(u32);

/// Bytes of a record before its items: the section, and the number of the record.
pub(crate) const HEADER_BYTES: usize = 5;

impl Sequence {
    /// Returns the number of records so far.
    pub fn count(self) -> u32 {
        self.0
    }

    /// Makes the header of the next record.
    pub(crate) fn begin(&mut self, section: u8) -> [u8; HEADER_BYTES] {
        let [a, b, c, d] = self.0.to_le_bytes();
        self.0 = self.0.wrapping_add(1);
        [section, a, b, c, d]
    }

    /// Takes the header off a record. Returns the section of the items, and the items.
    pub(crate) fn take<'a>(&mut self, payload: &'a [u8]) -> Result<(u8, &'a [u8]), Malformed> {
        let (&[section, a, b, c, d], items) = payload
            .split_first_chunk()
            .ok_or(Malformed("a record that is too short"))?;
        if u32::from_le_bytes([a, b, c, d]) != self.0 {
            return Err(Malformed("a record is missing"));
        }
        self.0 = self.0.wrapping_add(1);
        Ok((section, items))
    }
}
