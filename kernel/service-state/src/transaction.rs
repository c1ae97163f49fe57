//! Transactions: the requests that a client has queued, and the keys that it watches.

use crate::store::{Bytes, Keyspace, Watched, heap_bytes};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

/// Memory of a queued request beside its arguments, in bytes: its place in the queue, which may have grown to twice its
/// length.
const REQUEST_BYTES: usize = 2 * size_of::<Box<[Bytes]>>() + 32;

/// A transaction that a client has begun.
#[derive(Debug, Default)]
pub struct Transaction {
    requests: Vec<Box<[Bytes]>>,
    /// Whether one of its requests was refused, so that nothing of it will be carried out.
    pub is_refused: bool,
    kept_bytes: usize,
}

impl Transaction {
    /// Makes an empty one.
    pub fn new(is_refused: bool) -> Self {
        Self {
            is_refused,
            ..Self::default()
        }
    }

    /// Queues a request.
    pub fn push(&mut self, request: Box<[Bytes]>) {
        let strings_bytes: u64 = request.iter().map(|word| heap_bytes(word.len())).sum();
        self.kept_bytes +=
            REQUEST_BYTES + request.len() * size_of::<Bytes>() + strings_bytes as usize;
        self.requests.push(request);
    }

    /// Notes that nothing of it will be carried out. What is queued is not needed any more.
    pub fn refuse(&mut self) {
        *self = Self::new(true);
    }

    /// Returns the queued requests.
    pub fn requests(&self) -> &[Box<[Bytes]>] {
        &self.requests
    }

    /// Takes the queued requests.
    pub fn into_requests(self) -> Vec<Box<[Bytes]>> {
        self.requests
    }

    /// Returns the memory that it takes, in bytes.
    pub fn kept_bytes(&self) -> usize {
        size_of::<Self>() + 32 + self.kept_bytes
    }
}

/// The keys that a client watches.
#[derive(Debug, Default)]
pub struct WatchList {
    all: Vec<Watched>,
    kept_bytes: usize,
}

impl WatchList {
    /// Adds a key.
    pub fn add(&mut self, watched: Watched) {
        self.kept_bytes += watched.kept_bytes();
        self.all.push(watched);
    }

    /// Returns the keys.
    pub fn all(&self) -> &[Watched] {
        &self.all
    }

    /// Ends the watch of all keys.
    pub fn clear(&mut self, keyspace: &mut Keyspace) {
        for watched in mem::take(self).all {
            keyspace.unwatch(watched);
        }
    }

    /// Returns the memory that it takes, in bytes.
    pub fn kept_bytes(&self) -> usize {
        self.kept_bytes
    }
}
