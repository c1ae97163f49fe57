//! Words that somebody watches: a simulation runs the code of the kernels as it is, and at each access to shared memory lets another core go
//! on, delays a store, or lets the kernel die.

use core::sync::atomic::{self, Ordering};
use std::cell::RefCell;
use std::rc::Rc;

type Raw = atomic::AtomicU64;

/// Stands between the code and the memory.
pub trait Observer {
    /// A load of `word` is about to be made; returns what it reads.
    fn load(&self, word: &Raw) -> u64;
    /// `value` is about to be stored to `word`; does it, now or later.
    fn store(&self, word: &Raw, value: u64);
    /// A read-modify-write of `word` is about to be made, and is when this returns: no earlier store of the same core may be outstanding then.
    fn exclusive(&self, word: &Raw);
}

std::thread_local! {
    static OBSERVER: RefCell<Option<Rc<dyn Observer>>> = const { RefCell::new(None) };
}

/// From now on `observer` sees every access that this thread makes; with `None`, nobody.
///
/// # Panics
/// In the midst of an access.
pub fn observe(observer: Option<Rc<dyn Observer>>) {
    OBSERVER.set(observer);
}

fn observed<R>(with: impl FnOnce(&dyn Observer) -> R, alone: impl FnOnce() -> R) -> R {
    OBSERVER.with_borrow(|observer| match observer {
        Some(observer) => with(&**observer),
        None => alone(),
    })
}

/// A word of 64 bits; see [`core::sync::atomic::AtomicU64`], whose methods it has as far as they are needed.
#[repr(transparent)]
#[derive(Debug, Default)]
pub struct AtomicU64(Raw);

impl AtomicU64 {
    /// A word that holds `value`.
    pub const fn new(value: u64) -> Self {
        Self(Raw::new(value))
    }

    /// Reads it.
    pub fn load(&self, order: Ordering) -> u64 {
        observed(|it| it.load(&self.0), || self.0.load(order))
    }

    /// Writes it.
    pub fn store(&self, value: u64, order: Ordering) {
        observed(|it| it.store(&self.0, value), || self.0.store(value, order));
    }

    fn raw_exclusive(&self) -> &Raw {
        observed(|it| it.exclusive(&self.0), || ());
        &self.0
    }

    /// Writes it, and returns what was there.
    pub fn swap(&self, value: u64, order: Ordering) -> u64 {
        self.raw_exclusive().swap(value, order)
    }

    /// Writes `new` if `current` is there.
    ///
    /// # Errors
    /// What is there instead.
    pub fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        self.raw_exclusive()
            .compare_exchange(current, new, success, failure)
    }

    /// As [`compare_exchange`](Self::compare_exchange); may fail without a reason.
    ///
    /// # Errors
    /// What is there.
    pub fn compare_exchange_weak(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        self.raw_exclusive()
            .compare_exchange_weak(current, new, success, failure)
    }

    /// Adds to it, and returns what was there.
    pub fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        self.raw_exclusive().fetch_add(value, order)
    }

    /// Flips bits in it, and returns what was there.
    pub fn fetch_xor(&self, value: u64, order: Ordering) -> u64 {
        self.raw_exclusive().fetch_xor(value, order)
    }

    /// Sets bits in it, and returns what was there.
    pub fn fetch_or(&self, value: u64, order: Ordering) -> u64 {
        self.raw_exclusive().fetch_or(value, order)
    }

    /// Raises it to `value` if it is below, and returns what was there.
    pub fn fetch_max(&self, value: u64, order: Ordering) -> u64 {
        self.raw_exclusive().fetch_max(value, order)
    }
}
