//! What a client sent, what was acknowledged, and whether the machine kept its word.
//!
//! A client sets numbered keys and increments a counter. An acknowledged write must have happened, and a write that was
//! never sent must not have. A write that was sent and not acknowledged may have happened or not. None may have
//! happened twice.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::time::{Duration, Instant};

/// Where the writes went.
pub trait KeyStore {
    /// Why it cannot be read.
    type Error;

    /// Returns the values of `keys`, in their order.
    ///
    /// # Errors
    /// The store cannot be read.
    fn values(&mut self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Self::Error>;

    /// Returns the keys that match a glob pattern.
    ///
    /// # Errors
    /// The store cannot be read.
    fn keys(&mut self, pattern: &str) -> Result<Vec<String>, Self::Error>;
}

/// One client's account.
#[derive(Clone, Debug)]
pub struct KeyLedger {
    name: String,
    is_acked: BTreeMap<u64, bool>,
    increments_sent: u64,
    increments_acked: u64,
    counter_acked: i64,
    undone: Vec<String>,
    acks: Vec<Instant>,
}

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyAudit {
    /// Writes that were acknowledged.
    pub acked_writes: u64,
    /// Acknowledged writes that are missing or wrong.
    pub lost_writes: u64,
    /// Writes in the store that nobody sent, or that happened more often than they were sent.
    pub invented_writes: u64,
    /// The first few of both kinds, for people.
    pub examples: Vec<String>,
}

const EXAMPLES_MAX: usize = 5;

impl KeyLedger {
    /// Opens the account of client `name`, with which its keys begin.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            is_acked: BTreeMap::new(),
            increments_sent: 0,
            increments_acked: 0,
            counter_acked: 0,
            undone: Vec::new(),
            acks: Vec::new(),
        }
    }

    /// Returns the key of write `number`.
    pub fn key(&self, number: u64) -> String {
        format!("{}:{number}", self.name)
    }

    /// Returns the value of write `number`: no other write has it.
    pub fn value(&self, number: u64) -> String {
        // Multiplying by an odd number permutes the 64-bit numbers: the digits differ all over from write to write.
        format!(
            "{}={number}/{:016x}",
            self.name,
            number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        )
    }

    /// Returns the key of the counter.
    pub fn counter_key(&self) -> String {
        format!("{}:counter", self.name)
    }

    /// Notes that write `number` is about to be sent, for the first time or again.
    pub fn sent(&mut self, number: u64) {
        self.is_acked.entry(number).or_insert(false);
    }

    /// Notes that write `number` was acknowledged.
    pub fn acknowledged(&mut self, number: u64, at: Instant) {
        self.is_acked.insert(number, true);
        self.acks.push(at);
    }

    /// Notes that an increment is about to be sent.
    pub fn increment_sent(&mut self) {
        self.increments_sent += 1;
    }

    /// Notes that an increment was acknowledged with the counter's new value.
    pub fn increment_acknowledged(&mut self, value: i64, at: Instant) {
        if value <= self.counter_acked {
            self.undone.push(format!(
                "the counter was {} and then {value}",
                self.counter_acked
            ));
        }
        self.counter_acked = self.counter_acked.max(value);
        self.increments_acked += 1;
        self.acks.push(at);
    }

    /// Returns the number of writes that were acknowledged so far.
    pub fn acked_writes(&self) -> u64 {
        self.acks.len() as u64
    }

    /// Returns the longest time without an acknowledgement that ended after `since`: how long the client had to wait.
    /// `None` if there was no acknowledgement before it, or none after it.
    pub fn longest_gap(&self, since: Instant) -> Option<Duration> {
        let pairs = self.acks.windows(2).filter(|pair| pair[1] > since);
        pairs.map(|pair| pair[1] - pair[0]).max()
    }

    /// Compares the account with the store.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn audit<S: KeyStore>(&self, store: &mut S) -> Result<KeyAudit, S::Error> {
        let mut audit = KeyAudit {
            acked_writes: self.acked_writes(),
            ..KeyAudit::default()
        };
        for undone in &self.undone {
            audit.lost(1, undone);
        }
        self.audit_keys(store, &mut audit)?;
        self.audit_counter(store, &mut audit)?;
        Ok(audit)
    }

    fn audit_keys<S: KeyStore>(&self, store: &mut S, audit: &mut KeyAudit) -> Result<(), S::Error> {
        let numbers: Vec<u64> = self.is_acked.keys().copied().collect();
        let keys: Vec<String> = numbers.iter().map(|number| self.key(*number)).collect();
        let values = store.values(&keys)?;
        for (index, number) in numbers.iter().enumerate() {
            let key = &keys[index];
            let found = values.get(index).cloned().flatten();
            let is_right = found.as_deref() == Some(self.value(*number).as_bytes());
            match (self.is_acked[number], found) {
                (true, None) => audit.lost(1, format!("{key} is missing")),
                (true, Some(found)) if !is_right => {
                    audit.lost(1, format!("{key} is {}", text(&found)))
                }
                (false, Some(found)) if !is_right => {
                    audit.invented(1, format!("{key} is {}", text(&found)))
                }
                _ => {}
            }
        }
        let mut known: HashSet<String> = keys.into_iter().collect();
        known.insert(self.counter_key());
        for key in store.keys(&format!("{}:*", self.name))? {
            audit.invented(
                u64::from(!known.contains(&key)),
                format!("nobody wrote {key}"),
            );
        }
        Ok(())
    }

    fn audit_counter<S: KeyStore>(
        &self,
        store: &mut S,
        audit: &mut KeyAudit,
    ) -> Result<(), S::Error> {
        let found = store.values(&[self.counter_key()])?.pop().flatten();
        let value = match &found {
            None => 0,
            Some(bytes) => match std::str::from_utf8(bytes)
                .ok()
                .and_then(|digits| digits.parse::<u64>().ok())
            {
                Some(value) => value,
                None => {
                    audit.invented(1, format!("the counter is {}", text(bytes)));
                    return Ok(());
                }
            },
        };
        let lost = self.increments_acked.saturating_sub(value);
        audit.lost(
            lost,
            format!(
                "the counter is {value} after {} acknowledged increments",
                self.increments_acked
            ),
        );
        let invented = value.saturating_sub(self.increments_sent);
        audit.invented(
            invented,
            format!(
                "the counter is {value} after {} increments",
                self.increments_sent
            ),
        );
        Ok(())
    }
}

impl KeyAudit {
    /// Says whether nothing was lost and nothing invented.
    pub fn is_clean(&self) -> bool {
        self.lost_writes == 0 && self.invented_writes == 0
    }

    /// Adds up both findings.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.acked_writes += other.acked_writes;
        self.lost_writes += other.lost_writes;
        self.invented_writes += other.invented_writes;
        self.examples.extend(other.examples);
        self.examples.truncate(EXAMPLES_MAX);
        self
    }

    fn lost(&mut self, count: u64, example: impl fmt::Display) {
        self.lost_writes += count;
        self.example(count, example);
    }

    fn invented(&mut self, count: u64, example: impl fmt::Display) {
        self.invented_writes += count;
        self.example(count, example);
    }

    fn example(&mut self, count: u64, example: impl fmt::Display) {
        if count > 0 && self.examples.len() < EXAMPLES_MAX {
            self.examples.push(example.to_string());
        }
    }
}

impl fmt::Display for KeyAudit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} acknowledged writes, {} lost, {} invented",
            self.acked_writes, self.lost_writes, self.invented_writes
        )?;
        self.examples
            .iter()
            .try_for_each(|example| write!(f, "; {example}"))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned()
}

#[cfg(test)]
mod tests;
