//! Changes to the part of the keyspace that is in the checkpoint already. They are written once more.

use super::Bytes;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::mem;

/// A change that moves entries. Applied in order, such changes give every shard the same order of entries.
#[derive(Debug)]
pub(crate) enum Move {
    /// A key was added, at the end of its shard.
    Insert(Bytes),
    /// A key was removed; the last one of its shard takes its place.
    Remove(Bytes),
    /// Every key was removed.
    Clear,
}

/// A large value that is written piece by piece.
#[derive(Debug)]
pub(crate) struct Telling {
    /// Its key.
    pub(crate) key: Bytes,
    /// The string of the value that comes next, and the byte in it.
    pub(crate) at: (usize, usize),
    /// Whether the value has changed since its first piece.
    pub(crate) is_stale: bool,
}

/// Changes since the last ones were written.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Shards below this are written. Changes in the others will be written with them.
    pub(crate) written_shards: usize,
    moves: Vec<Move>,
    /// Keys whose value or deadline has changed.
    touched: BTreeSet<Bytes>,
    /// Keys whose value is large and not written yet. Some may be gone.
    postponed: BTreeSet<Bytes>,
    /// The value that is being written.
    pub(crate) telling: Option<Telling>,
    /// How often a value had to be begun again.
    pub(crate) restarts: u32,
}

impl Changes {
    pub(super) fn inserted(&mut self, shard: usize, key: &Bytes) {
        if shard < self.written_shards {
            self.moves.push(Move::Insert(key.clone()));
            self.touched.insert(key.clone());
        }
    }

    pub(super) fn touched(&mut self, shard: usize, key: &Bytes) {
        if shard < self.written_shards && !self.touched.contains(key) {
            self.touched.insert(key.clone());
        }
        self.spoil(Some(key));
    }

    pub(super) fn removed(&mut self, shard: usize, key: &Bytes) {
        if shard < self.written_shards {
            self.touched.remove(key);
            self.postponed.remove(key);
            self.moves.push(Move::Remove(key.clone()));
        }
        self.spoil(Some(key));
    }

    pub(super) fn cleared(&mut self) {
        self.moves.clear();
        self.moves.push(Move::Clear);
        self.touched.clear();
        self.postponed.clear();
        self.spoil(None);
    }

    /// Notes that a value changes; `None` stands for all.
    fn spoil(&mut self, key: Option<&Bytes>) {
        if let Some(telling) = &mut self.telling {
            telling.is_stale |= key.is_none_or(|key| *key == telling.key);
        }
    }

    /// Notes that the value of a key is to be written later.
    pub(crate) fn postpone(&mut self, key: Bytes) {
        self.postponed.insert(key);
    }

    /// Removes the next value to be written later, to write it now.
    pub(crate) fn take_postponed(&mut self) -> Option<Telling> {
        let key = self.postponed.pop_first()?;
        Some(Telling {
            key,
            at: (0, 0),
            is_stale: false,
        })
    }

    /// Removes and returns the moves to be written.
    pub(crate) fn take_moves(&mut self) -> Vec<Move> {
        mem::take(&mut self.moves)
    }

    /// Removes and returns the next key whose value is to be written.
    pub(crate) fn take_touched(&mut self) -> Option<Bytes> {
        self.touched.pop_first()
    }
}
