//! What happens to the part of the keyspace that a checkpoint has told already: it is told again.

use super::Bytes;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::mem;

/// Something that moves entries. Told in order, it gives every shard the order it has.
#[derive(Debug)]
pub(crate) enum Move {
    /// A key came, at the end of its shard.
    Insert(Bytes),
    /// A key went; the last of its shard has its place.
    Remove(Bytes),
    /// Every key went.
    Clear,
}

/// Changes since they were last told.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Shards below this were told; what happens in the others is told with them.
    pub(crate) told_shards: usize,
    moves: Vec<Move>,
    /// Keys whose value or deadline is another.
    touched: BTreeSet<Bytes>,
}

impl Changes {
    pub(super) fn inserted(&mut self, shard: usize, key: &Bytes) {
        if shard < self.told_shards {
            self.moves.push(Move::Insert(key.clone()));
            self.touched.insert(key.clone());
        }
    }

    pub(super) fn touched(&mut self, shard: usize, key: &Bytes) {
        if shard < self.told_shards && !self.touched.contains(key) {
            self.touched.insert(key.clone());
        }
    }

    pub(super) fn removed(&mut self, shard: usize, key: &Bytes) {
        if shard < self.told_shards {
            self.touched.remove(key);
            self.moves.push(Move::Remove(key.clone()));
        }
    }

    pub(super) fn cleared(&mut self) {
        self.moves.clear();
        self.moves.push(Move::Clear);
        self.touched.clear();
    }

    /// Takes what there is to be told.
    pub(crate) fn take(&mut self) -> (Vec<Move>, BTreeSet<Bytes>) {
        (mem::take(&mut self.moves), mem::take(&mut self.touched))
    }
}
