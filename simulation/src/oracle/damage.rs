//! Damage of the journal. It may lose what was acknowledged, but it must be named, and no damaged record may be
//! applied.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ptr;

use journal::record_bytes;
use sharedmem::sync::AtomicU64;

use super::Law;
use crate::machine::memory::Memory;

/// What is damaged, and whether somebody named it.
#[derive(Default)]
pub struct Damage {
    /// Bits were flipped in the journal, or a reset lost a state that was too large for it.
    pub is_done: Cell<bool>,
    /// Number of findings that new primaries named.
    pub findings: Cell<u64>,
    /// Bits were flipped in what a living primary had written: if it dies, that may lose something.
    pub is_latent: Cell<bool>,
    /// A word that somebody overwrote, by its address, and what it was overwritten with.
    overwritten: Cell<Option<(usize, u64)>>,
    /// Words of the ring with flipped bits that nobody has written since, by index, with what they were before.
    words: RefCell<BTreeMap<usize, u64>>,
}

impl Damage {
    /// Adds findings of a new primary.
    pub fn named(&self, findings: u64) {
        self.findings.set(self.findings.get() + findings);
    }

    /// Checks that damage that somebody named excuses a loss.
    pub fn excuses(&self, what: String) -> Law {
        match (self.is_done.get(), self.findings.get()) {
            (false, _) => Err(what),
            (true, 0) => Err(format!("nobody names the damage: {what}")),
            (true, _) => Ok(()),
        }
    }

    /// Records that a reset lost the state. That breaks a law unless the state may have been `too_large`.
    pub fn lost_state(&self, too_large: bool) -> Law {
        let is_excused = self.is_done.get() || too_large;
        // The monitor names this loss, and from now on what clients expect means nothing.
        self.is_done.set(true);
        self.named(1);
        match is_excused {
            true => Ok(()),
            false => Err("after a reset the journal does not make the state".into()),
        }
    }

    /// Records that bits of the ring's word `index` are about to be flipped. The word is `word` now.
    pub fn flips(&self, index: usize, word: u64) {
        self.words.borrow_mut().entry(index).or_insert(word);
    }

    /// Records that the ring's word `index` is written, so it is not damaged any more.
    pub fn writes(&self, index: usize) {
        if self.is_done.get() || self.is_latent.get() {
            self.words.borrow_mut().remove(&index);
        }
    }

    /// Records that a word was overwritten with `value`. What the backup's word costs shows when the primary dies.
    pub fn overwrites(&self, memory: &Memory, word: &AtomicU64, value: u64, is_primarys: bool) {
        match is_primarys {
            true => {
                let offset = ptr::from_ref(word).addr() - memory.start();
                self.overwritten.set(Some((offset, value)));
            }
            false => self.is_latent.set(true),
        }
    }

    /// Records that a primary is gone: from now on, what it had not restored may cost something.
    pub fn loses_primary(&self, memory: &Memory) {
        let is_restored = match self.overwritten.take() {
            Some((offset, value)) => memory.word_at(offset) != value,
            None => true,
        };
        if self.is_latent.get() || !is_restored {
            self.is_done.set(true);
        }
    }

    /// Checks that the record at `position`, which a primary begins to apply, is not damaged.
    pub fn applies(&self, memory: &Memory, position: u64) -> Law {
        let damaged = self.words.borrow();
        if damaged.is_empty() {
            return Ok(());
        }
        let words = memory.region.journal.len();
        let index = |position: u64| (position / 8) as usize % words;
        let length_bytes = memory.ring_word(index(position + 8)) as u32;
        let bytes = record_bytes(length_bytes).min(words as u64 * 8);
        let is_damaged = |position: u64| {
            let index = index(position);
            damaged
                .get(&index)
                .is_some_and(|was| memory.ring_word(index) != *was)
        };
        match (position..position + bytes).step_by(8).any(is_damaged) {
            true => Err(format!(
                "the record at position {position} is applied, and is damaged"
            )),
            false => Ok(()),
        }
    }
}
