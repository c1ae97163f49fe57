//! A digest of a whole keyspace. Two kernels that applied the same records have the same one.

use super::{Bytes, Keyspace, Value};
use siphasher::sip::SipHasher13;

/// Feeds a hasher. Every string goes with its length, so that different contents give different byte streams.
struct Digest(SipHasher13);

impl Digest {
    fn number(&mut self, number: u64) {
        core::hash::Hasher::write_u64(&mut self.0, number);
    }

    fn string(&mut self, string: &Bytes) {
        self.number(string.len() as u64);
        core::hash::Hasher::write(&mut self.0, string);
    }

    fn value(&mut self, value: &Value, step: &mut dyn FnMut()) {
        match value {
            Value::String(string) => {
                self.number(1);
                self.string(string);
            }
            Value::List(list) => {
                self.number(2);
                self.number(list.len() as u64);
                for element in list.iter() {
                    step();
                    self.string(element);
                }
            }
            Value::Hash(hash) => {
                self.number(3);
                self.number(hash.len() as u64);
                for (field, value) in hash.iter() {
                    step();
                    self.string(field);
                    self.string(value);
                }
            }
            Value::SortedSet(set) => {
                self.number(5);
                self.number(set.len() as u64);
                for (member, score) in set.iter() {
                    step();
                    self.string(member);
                    self.number(score.to_bits());
                }
            }
            Value::Set(set) => {
                self.number(4);
                self.number(set.len() as u64);
                for member in set.iter() {
                    step();
                    self.string(member);
                }
            }
        }
    }
}

impl Keyspace {
    /// Returns the digest of every key, value and deadline, in order, and of the memory count.
    pub fn digest(&self, step: &mut dyn FnMut()) -> u64 {
        let mut digest = Digest(SipHasher13::new());
        digest.number(self.used_bytes);
        for (number, table) in self.tables().enumerate() {
            for (key, entry) in table.iter() {
                step();
                digest.number(number as u64);
                digest.string(key);
                digest.number(entry.deadline_ms.map_or(0, |deadline_ms| deadline_ms.get()));
                digest.value(&entry.value, step);
            }
        }
        core::hash::Hasher::finish(&digest.0)
    }
}
