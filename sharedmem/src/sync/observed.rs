//! Words for simulations. A simulation runs the kernels' code as it is. At each access to shared memory it can let
//! another core go on, delay a store, or let the kernel die.

use core::sync::atomic::{self, Ordering};
use std::cell::RefCell;
use std::rc::Rc;

type Raw = atomic::AtomicU64;

/// Comes between the code and the memory.
pub trait Observer {
    /// Returns what a load of `word` reads. Called before the load.
    fn load(&self, word: &Raw) -> u64;
    /// Stores `value` to `word`, now or later.
    fn store(&self, word: &Raw, value: u64);
    /// Prepares a read-modify-write of `word`, which follows when this returns. No earlier store of the same core may
    /// be outstanding then.
    fn exclusive(&self, word: &Raw);
}

std::thread_local! {
    static OBSERVER: RefCell<Option<Rc<dyn Observer>>> = const { RefCell::new(None) };
}

/// Lets `observer` see every access of this thread from now on; `None` ends that.
///
/// # Panics
/// If it is called during an access.
pub fn observe(observer: Option<Rc<dyn Observer>>) {
    OBSERVER.set(observer);
}

fn observed<R>(with: impl FnOnce(&dyn Observer) -> R, alone: impl FnOnce() -> R) -> R {
    OBSERVER.with_borrow(|observer| match observer {
        Some(observer) => with(&**observer),
        None => alone(),
    })
}

/// A word of 64 bits with the methods of [`core::sync::atomic::AtomicU64`] that this workspace needs.
#[repr(transparent)]
#[derive(Debug, Default)]
pub struct AtomicU64(Raw);

impl AtomicU64 {
    /// Makes a word that holds `value`.
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

    /// Writes it, and returns the old value.
    pub fn swap(&self, value: u64, order: Ordering) -> u64 {
        self.raw_exclusive().swap(value, order)
    }

    /// Writes `new` if it holds `current`.
    ///
    /// # Errors
    /// Returns the value it holds instead.
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

    /// Exchanges like [`compare_exchange`](Self::compare_exchange), but may fail without a reason.
    ///
    /// # Errors
    /// Returns the value it holds.
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

    /// Adds to it, and returns the old value.
    pub fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        self.raw_exclusive().fetch_add(value, order)
    }

    /// Flips bits in it, and returns the old value.
    pub fn fetch_xor(&self, value: u64, order: Ordering) -> u64 {
        self.raw_exclusive().fetch_xor(value, order)
    }

    /// Sets bits in it, and returns the old value.
    pub fn fetch_or(&self, value: u64, order: Ordering) -> u64 {
        self.raw_exclusive().fetch_or(value, order)
    }

    /// Raises it to `value` if it is below, and returns the old value.
    pub fn fetch_max(&self, value: u64, order: Ordering) -> u64 {
        self.raw_exclusive().fetch_max(value, order)
    }
}
