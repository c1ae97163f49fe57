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

/// Changes since the last ones were written.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Shards below this are written. Changes in the others will be written with them.
    pub(crate) written_shards: usize,
    moves: Vec<Move>,
    /// Keys whose value or deadline has changed.
    touched: BTreeSet<Bytes>,
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
    }

    pub(super) fn removed(&mut self, shard: usize, key: &Bytes) {
        if shard < self.written_shards {
            self.touched.remove(key);
            self.moves.push(Move::Remove(key.clone()));
        }
    }

    pub(super) fn cleared(&mut self) {
        self.moves.clear();
        self.moves.push(Move::Clear);
        self.touched.clear();
    }

    /// Removes and returns the changes to be written.
    pub(crate) fn take(&mut self) -> (Vec<Move>, BTreeSet<Bytes>) {
        (mem::take(&mut self.moves), mem::take(&mut self.touched))
    }
}
